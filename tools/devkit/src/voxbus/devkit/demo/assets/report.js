// Head, latency of each turn, checks.
const STAGES = [
  ["endpointing", "waiting for the end of the turn"],
  ["recognition", "recognition"],
  ["tools", "tools"],
  ["first_token", "llm: first token"],
  ["sentence", "llm: rest of the first sentence"],
  ["synthesis", "synthesis"],
  ["rest", "bus and playout"],
  ["takeover", "another worker takes over"],
];

/** The parts of a turn's latency, in their order. What a killed worker cost is told apart from the rest. */
function partsOf(turn) {
  const lost = call.kills.some((kill) => kill.turn === turn.number && kill.moment === "first_word");
  const ms = (key) => (key === "takeover" ? (lost ? turn.latency.rest_ms : 0) : key === "rest" && lost ? 0 : turn.latency[`${key}_ms`]);
  return STAGES.map(([key, text]) => ({ key, text, ms: ms(key) })).filter((part) => Math.round(part.ms) > 0);
}

document.title = `voxbus: ${agentName}, ${clock(lengthMs)}`;
$("meta").append(
  h("span", {}, call.direction === "outbound" ? "call out" : "call in"),
  h("span", {}, agentName),
  h("span", {}, new Date(call.started_s * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })),
  h("span", {}, `${Math.round(lengthMs / 1000)} s`),
  h("span", { class: "sid" }, call.call),
);

function figure(value, unit, text, bad = false) {
  $("figures").append(h("div", {}, h("dt", {}, text), h("dd", bad ? { class: "bad" } : {}, value, unit ? h("small", {}, ` ${unit}`) : "")));
}
const passed = call.checks.filter((check) => check.passed).length;
if (call.median_voice_to_voice_ms) figure(number(call.median_voice_to_voice_ms), "ms", `from the ${party}’s last sound to the agent’s first, in the median`);
if (call.interruptions.length) figure(number(Math.max(...call.interruptions.map((cut) => cut.stopped_ms))), "ms", "until the agent is silent when interrupted");
if (call.kills.length) figure(`+${number(Math.max(...call.kills.map((kill) => kill.added_ms)))}`, "ms", "of silence when the worker of a turn is killed");
figure(`${passed} / ${call.checks.length}`, "", "checks passed", passed < call.checks.length);

const shown = new Set(call.turns.filter((turn) => turn.latency).flatMap((turn) => partsOf(turn).map((part) => part.key)));
const used = STAGES.filter(([key]) => shown.has(key));
$("legend").append(...used.map(([key, text]) => h("li", { class: key }, text)));

const longest = Math.max(1, ...call.turns.map((turn) => turn.latency?.total_ms ?? 0));
const quoted = (turn) => (turn.cause === "greeting" ? "greeting" : turn.cause === "keys" ? `key ${turn.caller.text}` : turn.caller.text ? `“${turn.caller.text}”` : "silence");

const killed = (kill) =>
  kill.moment === "first_word"
    ? `The ${kill.service} worker was killed before the first word: ${duration(kill.silence_ms)} until the reply where ${duration(kill.usual_ms)} are usual.`
    : `Later in this reply the ${kill.service} worker was killed: a silence of ${duration(kill.silence_ms)} where ${duration(kill.usual_ms)} are usual.`;

for (const turn of call.turns) {
  if (!turn.latency) continue;
  const parts = partsOf(turn);
  const bar = h("div", { class: "bar", "aria-hidden": "true" }, ...parts.map((part) => h("i", { class: part.key, title: `${part.text}: ${duration(part.ms)}` })));
  bar.style.width = `${(100 * turn.latency.total_ms) / longest}%`;
  parts.forEach((part, index) => { bar.children[index].style.flex = `${part.ms} 0 0`; });
  const kill = call.kills.find((one) => one.turn === turn.number);
  $("turns").append(
    h(
      "li", {},
      h("header", {}, h("h3", {}, h("b", {}, String(turn.number)), quoted(turn)), h("p", { class: "total" }, turn.voice_to_voice_ms ? h("small", {}, `${number(turn.voice_to_voice_ms)} in the recording · `) : null, duration(turn.latency.total_ms))),
      bar,
      h("dl", { class: "parts" }, ...parts.map((part) => h("div", {}, h("dt", { class: part.key }, h("span", { class: "hidden" }, part.text)), h("dd", {}, number(part.ms))))),
      kill ? h("p", { class: "note" }, killed(kill)) : null,
    ),
  );
}

for (const check of call.checks) {
  const verdict = h("span", { class: "hidden" }, check.passed ? "passed: " : "failed: ");
  $("checks").append(h("li", check.passed ? {} : { class: "failed" }, h("span", {}, verdict, check.name), h("span", { class: "detail" }, check.detail)));
}

show();
