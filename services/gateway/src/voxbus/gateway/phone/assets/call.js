// One call: the line, its sound, and what to do when the line breaks. Knows nothing of the page.
//
//   calling --> talking <--> broken --> over
//
// The page is the carrier here: when a stream is over it asks the gateway what next, as Twilio asks /twilio/next.

import * as api from "./api.js";
import { Sound } from "./sound.js";
import { Stream } from "./stream.js";

// Without a line for longer, the recognizer has ended the call.
const GIVE_UP_MS = 20_000;
const RETRY_MS = [200, 500, 1000, 2000];
// The reason of an end is in the log before the socket closes; the line that tells it may be a moment behind.
const REASON_MS = 2000;

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

export class Call {
  #stream = null;
  #sound = null;
  #placed = null;
  #counts = { streams: 0, tries: 0 };
  #following = new AbortController();
  #reason = ""; // of the end, once the log has told it
  state = "calling";

  /** `on`: `state(state, reason)`, `line(line)` of the log, `level(who, dBFS)`, `gone()`: the microphone is. */
  constructor(agent, token, on) {
    this.agent = agent;
    this.token = token;
    this.on = on;
  }

  /** Raises NoMicrophone, or Refused; then there is no call. */
  async begin() {
    this.#sound = await Sound.open({
      onFrame: (bytes) => this.#stream?.frame(bytes),
      onLevel: this.on.level,
      onMarks: (names) => names.forEach((name) => this.#stream?.returnMark(name)),
      onGone: this.on.gone,
    });
    try {
      this.#placed = await api.place(this.agent, this.token);
    } catch (error) {
      await this.#sound.close();
      throw error;
    }
    if (this.state === "over") return this.#sound.close(); // hung up before anybody was there
    this.#follow();
    this.#connect(this.#placed.token);
  }

  press(digit) {
    this.#stream?.press(digit);
  }

  mute(muted) {
    this.#sound?.mute(muted);
  }

  /** The machine says that it has no network: no need to wait until the connection is found dead. */
  lineDown() {
    this.#stream?.giveUp();
  }

  hangUp() {
    this.#stream?.stop();
    this.#finish("caller_hung_up");
  }

  #connect(token) {
    const sound = this.#sound;
    this.#stream = new Stream(api.voiceUrl(), this.#placed.call_sid, { token }, {
      open: () => this.state === "broken" && this.#become("talking"),
      media: (bytes) => {
        this.#become("talking");
        sound.play(bytes);
      },
      mark: (name) => sound.mark(name),
      clear: () => sound.clear(),
      close: (code) => this.#afterStream(code),
    });
  }

  /** Our side did not end it: ask what next, for as long as somebody may answer. */
  async #afterStream(code) {
    this.#stream = null;
    const lost = performance.now();
    if (code !== 1000) this.#break();
    for (let failures = 0; this.state !== "over"; failures++) {
      try {
        const answer = await api.next(this.#placed, { agent: this.agent, ...this.#counts });
        if (this.state === "over") return;
        if (answer.then !== "connect") return await this.#told(answer.then === "transfer" ? "transferred" : "");
        this.#break();
        this.#counts = { streams: answer.streams, tries: answer.tries };
        await sleep(1000 * answer.pause_s);
        if (this.state !== "over") this.#connect(answer.token);
        return;
      } catch (error) {
        const givenUp = performance.now() - lost > GIVE_UP_MS;
        if (!(error instanceof api.Refused) || !error.passing || givenUp) return this.#finish("connection_lost");
        this.#break();
        await sleep(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
      }
    }
  }

  #break() {
    this.#sound.clear(); // what was queued is of a stream that is gone; the next one says again what was not heard
    this.#become("broken");
  }

  /** It has ended; the log says why. */
  async #told(reason) {
    for (let waited = 0; !reason && !this.#reason && waited < REASON_MS; waited += 50) await sleep(50);
    this.#finish(reason || this.#reason || "agent_hung_up");
  }

  async #follow() {
    for (let failures = 0; !this.#following.signal.aborted; failures++) {
      try {
        await api.follow(this.#placed, (line) => this.#onLine(line), this.#following.signal);
        failures = 0;
      } catch (error) {
        if (error instanceof api.Refused && !error.passing) return;
      }
      await sleep(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
    }
  }

  #onLine(line) {
    if (line.began && this.state === "calling") this.#become("talking");
    this.on.line(line);
    if (line.ended) {
      this.#reason = line.ended;
      this.#following.abort();
    }
  }

  #become(state) {
    if (this.state === state || this.state === "over") return;
    this.state = state;
    this.on.state(state, "");
  }

  /** The last words of the log still come: an end that is ours is in it a moment later. */
  async #finish(reason) {
    if (this.state === "over") return;
    this.state = "over";
    this.on.state("over", reason);
    await this.#sound?.close();
    await sleep(REASON_MS);
    this.#following.abort();
  }
}
