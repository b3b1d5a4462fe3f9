// Where each turn's time went: a small waterfall, every stage a step to the right of the one before.

import { $, h } from "./dom.js";

const STAGES = [
  ["endpointing_ms", "waiting for the end of the turn"],
  ["recognition_ms", "recognition"],
  ["tools_ms", "tools"],
  ["first_token_ms", "llm: first token"],
  ["sentence_ms", "llm: rest of the first sentence"],
  ["synthesis_ms", "synthesis"],
  ["rest_ms", "bus and playout"],
];

const kind = (stage) => stage.replace("_ms", "").replace("_", "-");
const ms = (value) => `${Math.round(value).toLocaleString("en-US")} ms`;

export class Latencies {
  #list = $("turns");
  #turns = new Map(); // number -> its entry
  #slowest = 0;

  constructor() {
    this.#list.replaceChildren();
    $("legend").replaceChildren();
  }

  turn({ turn, by, caller, latency }) {
    if (!latency) return;
    if (!this.#turns.size) $("legend").append(...STAGES.map(([stage, name]) => h("li", { class: kind(stage) }, name)));
    const entry = this.#turns.get(turn) ?? h("li");
    this.#turns.set(turn, entry);
    if (!entry.isConnected) this.#list.append(entry);
    entry.latency = latency;
    const title = by === "greeting" ? "greeting" : by === "keys" ? `key ${caller}` : caller ? `“${caller}”` : "silence";
    const parts = STAGES.filter(([stage]) => latency[stage] >= 0.5);
    entry.replaceChildren(
      h("header", {}, h("h3", {}, h("b", {}, String(turn)), title), h("span", { class: "total" }, ms(latency.total_ms))),
      h("div", { class: "waterfall", "aria-hidden": "true" }, ...parts.map(([stage]) => h("i", { class: kind(stage), "data-stage": stage }))),
      h("dl", { class: "parts" }, ...parts.map(([stage, name]) =>
        h("div", { class: kind(stage), title: name }, h("dt", {}, h("span", { class: "hidden" }, name)), h("dd", {}, ms(latency[stage]))))),
    );
    this.#slowest = Math.max(this.#slowest, latency.total_ms);
    for (const each of this.#turns.values()) this.#scale(each);
  }

  gone(number) {
    this.#turns.get(number)?.remove();
    this.#turns.delete(number);
  }

  /** All turns on one scale, so that they compare. Clocks of services may disagree by a frame: nothing leaves the box. */
  #scale(entry) {
    let begin = 0;
    for (const bar of entry.querySelectorAll(".waterfall i")) {
      const share = (100 * entry.latency[bar.dataset.stage]) / this.#slowest;
      bar.style.marginLeft = `${Math.min(begin, 99)}%`;
      bar.style.width = `${Math.max(0.5, Math.min(share, 100 - begin))}%`;
      begin += share;
    }
  }
}
