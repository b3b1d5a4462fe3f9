// What the page asks the gateway over HTTP. Addresses are relative, so that a prefix before them stays.

/** An answer that was no success. `status` 0: none came at all. `text` is the gateway's own line. */
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
    this.text = text.trim();
  }

  /** Whether the same may go well in a moment. */
  get passing() {
    return this.status === 0 || this.status >= 500;
  }
}

async function ask(path, secret, body, signal) {
  const headers = secret ? { Authorization: `Bearer ${secret}` } : {};
  const options = body === undefined ? { headers } : { headers, method: "POST", body: JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, { ...options, cache: "no-store", signal });
  } catch {
    throw new Refused(0, "The gateway does not answer.");
  }
  if (!response.ok) throw new Refused(response.status, await response.text());
  return response;
}

/** {wants_token, agents}: without the right token, of agents that want one, there are none. */
export const agents = async (token) => (await ask("phone/agents", token)).json();

/** {call_sid, token, key}: a call that may begin now. */
export const place = async (agent, token) => (await ask("phone/calls", token, { agent })).json();

/** {then, token, pause_s, streams, tries}: what to do when the stream of the call is over. */
export const next = async (call, known) => (await ask(`phone/calls/${call.call_sid}/next`, call.key, known)).json();

/** Hands on each line of the call as it goes. Returns when the call has ended, or the gateway ends the answer. */
export async function follow(call, onLine, signal) {
  const response = await ask(`phone/calls/${call.call_sid}/events`, call.key, undefined, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) onLine(JSON.parse(line));
  }
}

/** Where the media stream is. */
export function voiceUrl() {
  const url = new URL("voice", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
