// What was said, as it is said. A turn comes whole each time something of it has changed, and is drawn anew.

import { $, clock, h } from "./dom.js";

export class Transcript {
  #list = $("script");
  #began = performance.now();
  #turns = new Map(); // number -> {caller, agent}: their entries
  #guess = null; // the entry of the words that are being spoken

  constructor() {
    this.#list.replaceChildren();
    $("said-nothing").hidden = false;
  }

  turn(turn) {
    const entries = this.#turns.get(turn.turn) ?? {};
    this.#turns.set(turn.turn, entries);
    if (turn.by !== "greeting") {
      this.#forgetGuess();
      entries.caller ??= this.#add(turn.by === "keys" ? "event" : "caller");
      fill(entries.caller, turn.by === "keys" ? null : "you", ...callerWords(turn));
      entries.caller.classList.toggle("guess", !turn.final);
    }
    if (turn.said.length) {
      entries.agent ??= this.#add("agent");
      const marks = [turn.interrupted ? "interrupted" : "", turn.fallback ? "stand-in line" : ""].filter(Boolean);
      fill(entries.agent, ["agent", ...marks].join(" · "), ...turn.said.flatMap(agentWords));
    }
  }

  /** The caller went on: it was no turn yet. */
  gone(number) {
    const entries = this.#turns.get(number);
    this.#turns.delete(number);
    entries?.caller?.remove();
    entries?.agent?.remove();
  }

  hum(text) {
    this.#forgetGuess();
    fill(this.#add("event"), null, h("b", {}, text ? `“${text}”` : "A sound"), " from you: taken as listening, the agent goes on.");
  }

  partial(text) {
    this.#guess ??= this.#add("caller guess");
    fill(this.#guess, "you", text);
  }

  note(kind, ...children) {
    fill(this.#add(`event ${kind}`), null, ...children);
  }

  #forgetGuess() {
    this.#guess?.remove();
    this.#guess = null;
  }

  #add(kind) {
    const atEnd = document.documentElement.scrollHeight - innerHeight - scrollY < 160;
    const entry = h("li", { class: kind }, h("span", { class: "time" }, clock(performance.now() - this.#began)), h("div", { class: "words" }));
    this.#list.append(entry);
    $("said-nothing").hidden = true;
    // Whoever reads further up is left there.
    if (atEnd && this.#list.childElementCount > 3) entry.scrollIntoView({ block: "nearest" });
    return entry;
  }
}

function fill(entry, who, ...children) {
  entry.querySelector(".words").replaceChildren(...(who ? [h("span", { class: "who" }, who)] : []), ...children);
}

function callerWords(turn) {
  if (turn.by === "keys") return ["You pressed ", h("b", {}, turn.caller)];
  if (turn.by === "silence") return [h("span", { class: "quiet" }, "said nothing")];
  if (!turn.caller) return [h("span", { class: "quiet" }, "speech without words that could be recognized")];
  return [turn.caller];
}

/** As heard; the rest is struck out once it is known that it was not, and pale while it may still come. */
function agentWords({ heard, unheard, verdict }) {
  const rest = verdict ? h("del", {}, h("span", { class: "hidden" }, "not heard: "), unheard) : h("span", { class: "pending" }, unheard);
  return [heard, heard && " ", ...(unheard ? [rest, " "] : [])].filter(Boolean);
}
