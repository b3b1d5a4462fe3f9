// Twilio Media Streams from the carrier's side: connected, start, (media | dtmf | mark)*, stop.
// https://www.twilio.com/docs/voice/media-streams/websocket-messages

const FRAME_MS = 20;
// Voice that is late is of no use: beyond a second of it frames are left out, and the clock shows it.
const LATE_BYTES = 20_000;
// A connection that takes nothing for so long is gone, whatever the browser still believes.
const STUCK_MS = 3000;

/** The close code for a connection that we gave up; 4000 and above are free to use. */
const GIVEN_UP = 4000;

export const randomSid = (prefix) =>
  prefix + Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export class Stream {
  #sid = randomSid("MZ");
  #sequence = 0;
  #chunk = 0;
  #late = null; // since when nothing has been taken
  #over = false;

  /** `on`: `open()`, `media(bytes)`, `mark(name)`, `clear()`, and, once, `close(code)` when it is over. */
  constructor(url, callSid, parameters, on) {
    this.callSid = callSid;
    this.on = on;
    this.socket = new WebSocket(url);
    this.socket.onopen = () => {
      this.#write({ event: "connected", protocol: "Call", version: "1.0.0" });
      this.#send("start", {
        streamSid: this.#sid,
        callSid,
        tracks: ["inbound"],
        mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
        customParameters: parameters,
      });
      on.open();
    };
    this.socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    this.socket.onclose = ({ code }) => this.#close(code);
  }

  frame(bytes) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    const timestamp = this.#chunk++ * FRAME_MS;
    if (this.socket.bufferedAmount > LATE_BYTES) {
      this.#late ??= performance.now();
      if (performance.now() - this.#late > STUCK_MS) this.giveUp();
      return;
    }
    this.#late = null;
    const payload = btoa(String.fromCharCode(...bytes));
    this.#send("media", { track: "inbound", chunk: String(this.#chunk), timestamp: String(timestamp), payload });
  }

  press(digit) {
    this.#send("dtmf", { track: "inbound_track", digit });
  }

  returnMark(name) {
    this.#send("mark", { name });
  }

  /** The caller hangs up. */
  stop() {
    this.#send("stop", { callSid: this.callSid });
    this.#over = true;
    this.socket.close(1000);
  }

  giveUp() {
    this.socket.close(GIVEN_UP);
    this.#close(GIVEN_UP);
  }

  #receive(message) {
    if (this.#over) return;
    if (message.event === "media") this.on.media(Uint8Array.from(atob(message.media.payload), (c) => c.charCodeAt(0)));
    else if (message.event === "mark") this.on.mark(message.mark.name);
    else if (message.event === "clear") this.on.clear();
  }

  #send(event, body) {
    this.#write({ event, sequenceNumber: String(++this.#sequence), streamSid: this.#sid, [event]: body });
  }

  #write(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  #close(code) {
    if (this.#over) return;
    this.#over = true;
    this.on.close(code);
  }
}
