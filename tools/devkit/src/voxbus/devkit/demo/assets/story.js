// The transcript: turns and what happened in between, in the order of the recording.
const entries = [];

function entry(at, kind, ...children) {
  const time = h("button", { type: "button", class: "time", "aria-label": `Play from ${clock(at)}`, click: () => seek(at - 250, true) }, clock(at));
  entries.push({ at, element: h("li", { class: kind }, time, h("div", { class: "words" }, ...children)) });
}

const timed = (start, end, text) => h("span", start === null ? {} : { "data-start": start, "data-end": end }, text);

function callerWords(turn) {
  const said = turn.caller;
  if (turn.cause === "keys") return h("span", {}, "pressed ", h("b", {}, said.text));
  if (turn.cause === "silence") return h("span", { class: "quiet" }, "said nothing");
  if (!said.text && turn.cause === "greeting") return h("span", { class: "quiet" }, "speaks first");
  if (!said.text) return h("span", { class: "quiet" }, "speech without words that could be recognized");
  return timed(said.start_ms, said.end_ms, said.text);
}

function agentWords(turn) {
  const words = [];
  for (const sentence of turn.sentences) {
    if (sentence.heard) words.push(timed(sentence.start_ms, sentence.end_ms, sentence.heard), " ");
    if (sentence.unheard) words.push(h("del", {}, h("span", { class: "hidden" }, "not heard: "), sentence.unheard), " ");
  }
  return words;
}

if (call.order) {
  const after = (state) => call.order.steps.find((step) => step.state === state)?.at_ms;
  const seconds = (ms) => (ms === undefined ? "never" : `after ${(ms / 1000).toFixed(1)} s`);
  entry(
    0, "event", h("b", {}, "Rung up."),
    ` The scheduler took the order and dialled ${seconds(after("dialling"))}; the telephone was lifted ${seconds(after("in_progress"))}.`,
  );
}
for (const turn of call.turns) {
  if (turn.caller) entry(turn.caller.start_ms, turn.cause === "keys" ? "event" : "caller", turn.cause === "keys" ? null : h("span", { class: "who" }, party), callerWords(turn));
  const start = turn.first_sound_ms ?? turn.caller?.end_ms ?? 0;
  entry(start, "agent", h("span", { class: "who" }, `agent · turn ${turn.number}`), ...agentWords(turn));
}
for (const hum of call.backchannels) {
  const held = hum.held_ms ? `paused for ${duration(hum.held_ms)}, then went on from the last word heard` : "went on";
  entry(hum.start_ms, "event", h("b", {}, `“${hum.text}”`), ` from the caller. The agent ${held}.`);
}
for (const cut of call.interruptions) {
  entry(cut.at_ms, "event", h("b", {}, "Interrupted."), ` The agent was silent ${duration(cut.stopped_ms)} after the caller’s first sound.`);
}
const MOMENTS = { first_word: "before the first word of", mid_reply: "in the middle of" };
for (const kill of call.kills) {
  const added = kill.added_ms ? `added ${duration(kill.added_ms)} of silence` : "added no silence";
  entry(
    kill.at_ms, "event alarm", h("b", {}, `The ${kill.service} worker of this turn is killed`),
    ` (SIGKILL), ${MOMENTS[kill.moment]} the reply. Another one took over; that ${added}.`,
  );
}
if (call.report_delivered) {
  const kept = call.outcome ? `, which stored it as “${call.outcome.replaceAll("_", " ")}”` : "";
  entry(lengthMs, "event", h("b", {}, "Reported."), ` The signed report of the call was delivered to the scheduler${kept}.`);
}
entries.sort((one, other) => one.at - other.at);
$("script").append(...entries.map((one) => one.element));

const spans = [...document.querySelectorAll("[data-start]")].map((element) => ({
  element, start: Number(element.dataset.start), end: Number(element.dataset.end),
}));
followers.push((ms) => {
  for (const span of spans) span.element.classList.toggle("playing", !audio.paused && ms >= span.start && ms < span.end);
});
