// The page: whom to call, the call, and what is seen of it.

import * as api from "./api.js";
import { Call } from "./call.js";
import { $, clock, h, words } from "./dom.js";
import { Latencies } from "./latency.js";
import { Meters } from "./meters.js";
import { BROKEN, GONE, ended, refused } from "./texts.js";
import { Transcript } from "./transcript.js";

const meters = new Meters();
let token = sessionStorage.getItem("phone-token") ?? "";
let book = [];
let call = null;
let transcript = null;
let latencies = null;
let began = 0;

// Before the call

async function loadAgents() {
  complain("");
  $("unlock").hidden = $("idle").hidden = true;
  try {
    const found = await api.agents(token);
    if (found.wants_token && !found.agents.length) return askForToken();
    book = found.agents;
  } catch (error) {
    if (error.status === 401) return askForToken("That is not the token.");
    complain(`${refused(error)} Reload the page to try again.`);
    return;
  }
  if (!book.length) return complain("No agent can be called. Is AGENTS_DIR right? The gateway’s log says what is wrong with each.");
  $("agents").replaceChildren(...book.map(choice));
  $("idle").hidden = false;
  showPhrases();
}

function choice(agent, index) {
  const id = `agent-${agent.name}`;
  return h("label", { class: "choice", for: id },
    h("input", { type: "radio", name: "agent", id, value: agent.name, ...(index ? {} : { checked: "" }), change: showPhrases }),
    h("span", { class: "name" }, words(agent.name)),
    h("span", { class: "what" }, agent.description));
}

const chosen = () => book.find((agent) => agent.name === document.querySelector("input[name=agent]:checked")?.value);

function showPhrases() {
  const agent = chosen();
  $("phrases").hidden = !agent?.says.length;
  $("says").replaceChildren(...(agent?.says ?? []).map((text) => h("li", {}, text)));
  const keys = Object.entries(agent?.keys ?? {});
  $("keys-line").replaceChildren(...(keys.length ? ["Keys: ", ...keys.flatMap(([key, means]) => [h("span", { class: "key" }, h("kbd", {}, key), ` ${means}`), " "])] : []));
}

function askForToken(why = "") {
  sessionStorage.removeItem("phone-token");
  $("unlock").hidden = false;
  $("token").focus();
  if (why) complain(why);
}

$("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  sessionStorage.setItem("phone-token", token);
  loadAgents();
});

// The call

$("call").addEventListener("click", async () => {
  const agent = chosen();
  if (!agent || call) return;
  complain("");
  transcript = new Transcript();
  latencies = new Latencies();
  meters.reset();
  mute(false);
  call = new Call(agent.name, token, { state: onState, line: onLine, level: onLevel, gone: () => complain(GONE) });
  $("who").textContent = words(agent.name);
  $("clock").textContent = clock(0);
  show("calling");
  $("line").focus();
  say(`Calling ${words(agent.name)}…`);
  try {
    await call.begin();
  } catch (error) {
    over();
    say("");
    complain(refused(error));
  }
});

function onState(state, reason) {
  show(state);
  if (state === "talking") {
    if (began) transcript.note("", h("b", {}, "Back."), " The call goes on.");
    began ||= performance.now();
    complain("");
    say("You are connected.");
  } else if (state === "broken") {
    say("");
    complain(BROKEN);
    transcript.note("alarm", h("b", {}, "Connection lost."), " The call goes on when it is back.");
  } else if (state === "over") {
    const { text, failed } = ended(reason);
    complain(failed ? text : "");
    say(failed ? "" : text);
    transcript.note(failed ? "alarm" : "", h("b", {}, "Over."), ` ${text}`);
    over();
  }
}

function onLine(line) {
  if (line.partial !== undefined) transcript.partial(line.partial);
  else if (line.hum !== undefined) transcript.hum(line.hum);
  else if (line.gone !== undefined) [transcript, latencies].forEach((part) => part.gone(line.gone));
  else if (line.turn !== undefined) [transcript, latencies].forEach((part) => part.turn(line));
}

function onLevel(who, dbfs) {
  if (call) meters.level(who, dbfs);
}

function over() {
  call = null;
  began = 0;
  meters.reset();
  show("idle");
  $("call").focus();
}

/** "idle", or the state of the call. */
function show(state) {
  document.body.dataset.state = state;
  const idle = state === "idle" || state === "over";
  $("idle").hidden = !idle;
  $("line").hidden = idle;
}

setInterval(() => {
  if (began) $("clock").textContent = clock(performance.now() - began);
}, 250);

// Its keys

$("hang-up").addEventListener("click", () => call?.hangUp());
$("mute").addEventListener("click", () => mute($("mute").getAttribute("aria-pressed") !== "true"));

function mute(muted) {
  $("mute").setAttribute("aria-pressed", muted);
  $("mute").querySelector("span").textContent = muted ? "Muted" : "Mute";
  call?.mute(muted);
}

$("pad-toggle").addEventListener("click", () => {
  const open = $("pad").hidden;
  $("pad").hidden = !open;
  $("pad-toggle").setAttribute("aria-expanded", open);
});

for (const key of "123456789*0#") {
  const label = { "*": "star", "#": "hash" }[key] ?? key;
  $("pad").append(h("button", { type: "button", "aria-label": label, "data-key": key, click: () => press(key) }, key));
}

function press(key) {
  call?.press(key);
  const button = $("pad").querySelector(`[data-key="${key}"]`);
  button.classList.add("pressed");
  setTimeout(() => button.classList.remove("pressed"), 150);
}

// Only while something of the line has the focus: elsewhere a letter may be somebody's own shortcut.
$("line").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (/^[0-9*#]$/.test(event.key)) press(event.key);
  else if (event.key === "m") $("mute").click();
  else return;
  event.preventDefault();
});

addEventListener("pagehide", () => call?.hangUp());
addEventListener("offline", () => call?.lineDown());

// What is told: politely, and as an alarm

function say(text) {
  $("status").textContent = text;
}

function complain(text) {
  $("alarm").textContent = text;
  $("alarm").hidden = !text;
}

loadAgents();
