// What the page says when something is not as it should be, and what to do about it.

import { NoMicrophone } from "./sound.js";

const MICROPHONE = {
  NotAllowedError: "The browser keeps the microphone from this page. Allow it in the address bar, then call again.",
  NotFoundError: "There is no microphone. Plug one in, then call again.",
  NotReadableError: "The microphone is in use by another program, or broken.",
  InsecureContext: "Browsers give the microphone to https pages only, and to this machine’s own: open http://localhost.",
};

const ENDS = {
  caller_hung_up: "You hung up.",
  agent_hung_up: "The agent hung up.",
  transferred: "The agent puts you through to a person. On a telephone line the carrier would ring them now.",
  time_limit: "The call reached its time limit.",
};

const FAILURES = {
  no_capacity: "All lines are busy: nobody was there for the call. Call again in a moment; if it stays so, are stt, llm and tts running?",
  connection_lost: "The connection was lost, and did not come back in time. Call again.",
  carrier: "The carrier ended the call.",
  error: "Something failed on the other side. Its log says what; you may call again.",
};

export const GONE = "The microphone is gone: the agent hears nothing more of you. You can still press keys.";
export const BROKEN = "The connection is lost. The call goes on as soon as it is back…";

/** {text, failed}: how a call ended. */
export const ended = (reason) =>
  ENDS[reason] ? { text: ENDS[reason], failed: false } : { text: FAILURES[reason] ?? FAILURES.error, failed: true };

/** Why there is no call. */
export function refused(error) {
  if (error instanceof NoMicrophone) return MICROPHONE[error.name] ?? `The microphone does not work (${error.name}).`;
  if (error.status === 503) return `No call can be taken just now: ${error.text}.`;
  if (error.status === 429) return "Too many calls. Wait a moment, then call again.";
  if (error.text) return error.text;
  throw error;
}
