// Who is speaking: a bar for the eye, and a word that changes only when it does.

import { $ } from "./dom.js";

const QUIET_DBFS = -55; // the left end of a bar
const SPEAKING_DBFS = -42;
const HOLD_MS = 400; // between two words nobody has fallen silent

const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Meters {
  #levels = { caller: -100, agent: -100 };
  #loud = { caller: -Infinity, agent: -Infinity };
  #frame = 0;

  level(who, dbfs) {
    // Up at once, down slowly: a needle.
    this.#levels[who] = Math.max(dbfs, this.#levels[who] - 2);
    if (dbfs > SPEAKING_DBFS) this.#loud[who] = performance.now();
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  reset() {
    this.#levels = { caller: -100, agent: -100 };
    this.#loud = { caller: -Infinity, agent: -Infinity };
    this.#draw();
  }

  #draw() {
    this.#frame = 0;
    for (const who of ["caller", "agent"]) {
      const speaking = performance.now() - this.#loud[who] < HOLD_MS;
      const meter = $(`${who}-meter`);
      const share = Math.max(0, Math.min(1, 1 - this.#levels[who] / QUIET_DBFS));
      meter.querySelector("i").style.transform = `scaleX(${still.matches ? Number(speaking) : share.toFixed(3)})`;
      meter.dataset.dbfs = this.#levels[who].toFixed(0);
      if (meter.dataset.speaking !== String(speaking)) {
        meter.dataset.speaking = speaking;
        meter.querySelector(".state").textContent = speaking ? "speaking" : "quiet";
      }
    }
  }
}
