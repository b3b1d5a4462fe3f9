// The microphone and the loudspeaker of this machine, as a telephone line has them: mu-law, 8 kHz, 20 ms a frame.

/** The microphone cannot be had. `name` is the browser's word for why. */
export class NoMicrophone extends Error {
  constructor(name) {
    super(name);
    this.name = name;
  }
}

export class Sound {
  /**
   * Opens both. Call it from a click, or the browser keeps the loudspeaker silent. `onFrame(bytes)` is called 50 times a
   * second, `onLevel("caller" | "agent", dBFS)` as often for either side, `onMarks(names)` when they were played, and
   * `onGone()` when the microphone was unplugged. Raises NoMicrophone.
   */
  static async open(handlers) {
    const context = new AudioContext({ latencyHint: "interactive" });
    let microphone;
    try {
      microphone = await listen();
      await context.audioWorklet.addModule(new URL("worklet.js", import.meta.url));
      await context.resume();
      return new Sound(context, microphone, handlers);
    } catch (error) {
      microphone?.getTracks().forEach((track) => track.stop());
      await context.close();
      throw error;
    }
  }

  constructor(context, microphone, { onFrame, onLevel, onMarks, onGone }) {
    this.context = context;
    this.microphone = microphone;
    this.closing = false;
    this.late = new Set(); // timers of marks that are on their way through the sound card
    this.onMarks = onMarks;
    const ear = new AudioWorkletNode(context, "ear", { channelCount: 1, channelCountMode: "explicit" });
    this.mouth = new AudioWorkletNode(context, "mouth", { numberOfInputs: 0, outputChannelCount: [1] });
    ear.port.onmessage = ({ data }) => {
      onFrame(data.frame);
      onLevel("caller", data.level);
    };
    this.mouth.port.onmessage = ({ data }) => {
      if (data.marks) this.#played(data.marks);
      else onLevel("agent", data.level);
    };
    context.createMediaStreamSource(microphone).connect(ear).connect(context.destination); // which gets silence of it
    this.mouth.connect(context.destination);
    for (const track of microphone.getAudioTracks()) track.addEventListener("ended", onGone);
  }

  play(bytes) {
    this.mouth.port.postMessage({ audio: bytes }, [bytes.buffer]);
  }

  mark(name) {
    this.mouth.port.postMessage({ mark: name });
  }

  /** Silence, now. Every mark that is pending comes back. */
  clear() {
    for (const mark of this.late) mark.now();
    this.mouth.port.postMessage({ clear: true });
  }

  mute(muted) {
    for (const track of this.microphone.getAudioTracks()) track.enabled = !muted;
  }

  async close() {
    if (this.closing) return;
    this.closing = true;
    for (const mark of this.late) clearTimeout(mark.timer);
    for (const track of this.microphone.getTracks()) track.stop();
    await this.context.close();
  }

  /** What left the worklet is heard when it has been through the sound card, which may be a headset far away. */
  #played(names) {
    const seconds = Math.min(1, this.context.outputLatency || this.context.baseLatency || 0);
    const mark = {
      now: () => {
        clearTimeout(mark.timer);
        this.late.delete(mark);
        this.onMarks(names);
      },
    };
    mark.timer = setTimeout(mark.now, 1000 * seconds);
    this.late.add(mark);
  }
}

async function listen() {
  if (!navigator.mediaDevices) throw new NoMicrophone("InsecureContext");
  const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new NoMicrophone(error.name);
  }
}
