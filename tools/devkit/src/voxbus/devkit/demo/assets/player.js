// The audio element is never shown: play button, lanes and keys drive it, and all that moves follows it.
const audio = new Audio(URL.createObjectURL(new Blob([bytes($("wav").textContent)], { type: "audio/wav" })));
audio.preload = "auto";
const lengthMs = call.duration_ms;
const followers = [];
let wantedMs = null;

/** Where the recording is, also while a seek is under way. */
const nowMs = () => (wantedMs === null ? audio.currentTime * 1000 : wantedMs);

function seek(ms, andPlay = false) {
  wantedMs = Math.min(Math.max(0, ms), lengthMs);
  audio.currentTime = wantedMs / 1000;
  if (andPlay) audio.play();
  show();
}

function toggle() {
  if (audio.paused) audio.play();
  else audio.pause();
}

function show() {
  const ms = nowMs();
  $("now").textContent = clock(ms);
  $("lanes").setAttribute("aria-valuenow", Math.round(ms / 100) / 10);
  $("lanes").setAttribute("aria-valuetext", `${clock(ms)} of ${clock(lengthMs)}`);
  $("playhead").style.left = `${(100 * ms) / lengthMs}%`;
  for (const follow of followers) follow(ms);
}

function animate() {
  show();
  if (!audio.paused) requestAnimationFrame(animate);
}

function playing(yes) {
  $("play").toggleAttribute("data-playing", yes);
  $("play").setAttribute("aria-label", yes ? "Pause the recording" : "Play the recording");
}

audio.addEventListener("play", () => { playing(true); animate(); });
audio.addEventListener("pause", () => { playing(false); show(); });
audio.addEventListener("seeked", () => { wantedMs = null; show(); });
$("play").addEventListener("click", toggle);
$("length").textContent = clock(lengthMs);
$("lanes").setAttribute("aria-valuemax", Math.round(lengthMs / 100) / 10);

const STEPS = { ArrowLeft: -1000, ArrowRight: 1000, ArrowDown: -5000, ArrowUp: 5000, PageDown: -10000, PageUp: 10000 };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const onLanes = event.target === $("lanes");
  const onButton = event.target.closest?.("button");
  if (event.key === " " && !onButton) toggle();
  else if (event.key in STEPS && (onLanes || event.key === "ArrowLeft" || event.key === "ArrowRight")) seek(nowMs() + STEPS[event.key]);
  else if (onLanes && event.key === "Home") seek(0);
  else if (onLanes && event.key === "End") seek(lengthMs);
  else return;
  event.preventDefault();
});

function positionOf(event) {
  const box = $("lanes").getBoundingClientRect();
  return (lengthMs * (event.clientX - box.left)) / box.width;
}

$("lanes").addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  $("lanes").setPointerCapture(event.pointerId);
  seek(positionOf(event));
});
$("lanes").addEventListener("pointermove", (event) => {
  const ms = positionOf(event);
  if ($("lanes").hasPointerCapture(event.pointerId)) seek(ms);
  const share = ms / lengthMs;
  $("pointer").hidden = event.pointerType === "touch" || share < 0 || share > 1;
  $("pointer").style.left = `${100 * share}%`;
  $("pointer").dataset.time = clock(ms);
  $("pointer").toggleAttribute("data-flip", share > 0.9);
});
$("lanes").addEventListener("pointerleave", () => { $("pointer").hidden = true; });
