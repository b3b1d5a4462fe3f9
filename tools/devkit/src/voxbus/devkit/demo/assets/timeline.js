// The two lanes: caller above, agent below, and between them how long each answer took.
const lanes = { caller: bytes(data.wave.caller), agent: bytes(data.wave.agent) };
const loudest = Math.max(1, ...lanes.caller, ...lanes.agent);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function canvas(element) {
  const { width, height } = element.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  element.width = Math.round(width * ratio);
  element.height = Math.round(height * ratio);
  const pen = element.getContext("2d");
  pen.scale(ratio, ratio);
  return { pen, width, height };
}

function drawLane(pen, peaks, top, height, width) {
  const step = 3;
  const bars = Math.floor(width / step);
  for (let bar = 0; bar < bars; bar++) {
    const first = Math.floor((bar * peaks.length) / bars);
    const last = Math.max(first + 1, Math.floor(((bar + 1) * peaks.length) / bars));
    let peak = 0;
    for (let i = first; i < last; i++) peak = Math.max(peak, peaks[i]);
    const size = Math.max(1, height * Math.pow(peak / loudest, 0.85));
    pen.fillRect(bar * step, top + (height - size) / 2, step - 1, size);
  }
}

function drawWave() {
  const { pen, width, height } = canvas($("wave"));
  const x = (ms) => (width * ms) / lengthMs;
  const gap = 14;
  const lane = (height - gap) / 2;
  for (const kill of call.kills.filter((one) => one.added_ms > 0)) {
    pen.fillStyle = colour("alarm-wash");
    pen.fillRect(x(kill.silence_from_ms), 0, Math.max(2, x(kill.silence_ms)), height);
  }
  for (const hum of call.backchannels) {
    pen.fillStyle = colour("agent-wash");
    pen.fillRect(x(hum.held_from_ms), lane + gap, x(hum.held_ms), lane);
  }
  pen.fillStyle = colour("caller");
  drawLane(pen, lanes.caller, 0, lane, width);
  pen.fillStyle = colour("agent");
  drawLane(pen, lanes.agent, lane + gap, lane, width);
  // From the caller's last sound down to the agent's first.
  pen.strokeStyle = colour("soft");
  pen.lineWidth = 1;
  for (const turn of call.turns) {
    if (turn.cause !== "speech" || !turn.voice_to_voice_ms) continue;
    const middle = Math.round(lane + gap / 2) + 0.5;
    const from = Math.round(x(turn.first_sound_ms - turn.voice_to_voice_ms)) + 0.5;
    const to = Math.round(x(turn.first_sound_ms)) + 0.5;
    pen.beginPath();
    pen.moveTo(from, middle - 5);
    pen.lineTo(from, middle);
    pen.lineTo(to, middle);
    pen.lineTo(to, middle + 5);
    pen.stroke();
  }
  drawRuler();
}

function drawRuler() {
  const { pen, width } = canvas($("ruler"));
  const wanted = (lengthMs / width) * 64;
  const step = [1000, 2000, 5000, 10000, 15000, 30000, 60000].find((ms) => ms >= wanted) ?? 120000;
  pen.fillStyle = colour("soft");
  pen.strokeStyle = colour("faint");
  pen.font = `11px ${colour("mono")}`;
  for (let ms = 0; ms <= lengthMs; ms += step) {
    const at = Math.round((width * ms) / lengthMs) + 0.5;
    pen.beginPath();
    pen.moveTo(at, 0);
    pen.lineTo(at, 5);
    pen.stroke();
    const label = `${Math.floor(ms / 60000)}:${String((ms / 1000) % 60).padStart(2, "0")}`;
    const room = pen.measureText(label).width / 2;
    pen.fillText(label, Math.min(Math.max(at - room, 0), width - 2 * room), 17);
  }
}

/** Keys that were pressed within a second of one another are one mark. */
function keyGroups() {
  const groups = [];
  for (const key of call.keys) {
    const last = groups.at(-1);
    if (last && key.at_ms - last.end < 1000) Object.assign(last, { end: key.at_ms, digits: last.digits + key.digit });
    else groups.push({ at: key.at_ms, end: key.at_ms, digits: key.digit });
  }
  return groups;
}

const marks = [
  ...call.backchannels.map((hum) => ({ at: hum.start_ms, text: hum.text, kind: "caller", title: "The caller hums, the agent goes on" })),
  ...call.interruptions.map((cut) => ({ at: cut.at_ms, text: "interrupts", kind: "caller", title: "The caller interrupts, the agent stops" })),
  ...keyGroups().map((keys) => ({ at: keys.at, text: `key ${keys.digits}`, kind: "caller", title: "The caller presses keys" })),
  ...call.kills.map((kill) => ({ at: kill.at_ms, text: `${kill.service} killed`, kind: "alarm", title: `SIGKILL for the ${kill.service} worker of this turn` })),
].sort((one, other) => one.at - other.at);

for (const mark of marks) {
  mark.stem = h("i", { class: "stem" });
  mark.button = h(
    "button",
    { type: "button", class: `mark ${mark.kind}`, title: mark.title, "aria-label": `${mark.title}: go to ${clock(mark.at)}`, click: () => seek(mark.at - 1000, true) },
    mark.text,
  );
  $("marks").append(mark.stem, mark.button);
}

/** Every mark stands at its moment, in the lowest row where it covers no other. */
function placeMarks() {
  const width = $("marks").clientWidth;
  const rowHeight = 28;
  const ends = [];
  for (const mark of marks) {
    const at = (width * mark.at) / lengthMs;
    const size = mark.button.offsetWidth;
    mark.left = Math.max(0, Math.min(at - 10, width - size));
    mark.row = ends.findIndex((end) => end + 4 <= mark.left);
    if (mark.row < 0) mark.row = ends.length;
    ends[mark.row] = mark.left + size;
    mark.button.style.left = `${mark.left}px`;
    mark.stem.style.left = `${at}px`;
  }
  $("marks").style.height = `${ends.length * rowHeight}px`;
  for (const mark of marks) {
    const top = (ends.length - 1 - mark.row) * rowHeight;
    mark.button.style.top = `${top}px`;
    mark.stem.style.top = `${top + 24}px`;
  }
}

const redraw = () => { placeMarks(); drawWave(); };
new ResizeObserver(redraw).observe($("lanes"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
