// What runs on the audio thread: the microphone to frames of a telephone line, and its frames to the loudspeaker.

import { decode, encode } from "./mulaw.js";
import { Resampler } from "./resample.js";

const LINE_HZ = 8000;
const FRAME = 160; // 20 ms

/** The level of a stretch of samples in dBFS; -100 is silence. */
class Level {
  #sum = 0;
  #count = 0;

  add(sample) {
    this.#sum += sample * sample;
    this.#count++;
  }

  take() {
    const level = this.#sum ? Math.max(-100, 10 * Math.log10(this.#sum / this.#count)) : -100;
    this.#sum = this.#count = 0;
    return level;
  }
}

/** Posts `{frame, level}`: 160 bytes of mu-law each 20 ms, whether there is sound or not. */
class Ear extends AudioWorkletProcessor {
  #resampler = new Resampler(sampleRate, LINE_HZ);
  #frame = new Uint8Array(FRAME);
  #filled = 0;
  #level = new Level();

  process([input], [output]) {
    const samples = input[0]; // none while the microphone starts; the line's clock goes on
    for (let i = 0; i < output[0].length; i++) this.#resampler.push(samples ? samples[i] : 0, this.#emit);
    return true;
  }

  #emit = (sample) => {
    this.#level.add(sample);
    this.#frame[this.#filled++] = encode(sample);
    if (this.#filled === FRAME) {
      this.port.postMessage({ frame: this.#frame, level: this.#level.take() }, [this.#frame.buffer]);
      this.#frame = new Uint8Array(FRAME);
      this.#filled = 0;
    }
  };
}

/**
 * Takes `{audio}`, `{mark}` and `{clear}`, as the carrier's buffer does: a mark comes back when everything queued before it
 * was played, at once when nothing is; `clear` drops what is queued, and brings all marks back. Posts `{marks, level}`.
 */
class Mouth extends AudioWorkletProcessor {
  #resampler = new Resampler(LINE_HZ, sampleRate);
  #queue = [];
  #offset = 0; // into the first piece
  #taken = 0; // samples that left the queue, played or cleared
  #queued = 0; // samples that ever came into it
  #marks = []; // [samples that must have left before it, name]
  #level = new Level();
  #quanta = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data.audio) {
        this.#queue.push(data.audio);
        this.#queued += data.audio.length;
      } else if (data.mark !== undefined) {
        this.#marks.push([this.#queued, data.mark]);
      } else if (data.clear) {
        this.#queue = [];
        this.#offset = 0;
        this.#taken = this.#queued;
      }
      if (!data.audio) this.#return();
    };
  }

  process(_inputs, [output]) {
    const [first, ...others] = output;
    for (let i = 0; i < first.length; i++) {
      first[i] = this.#resampler.pull(this.#next);
      this.#level.add(first[i]);
    }
    for (const other of others) other.set(first);
    this.#return();
    if (++this.#quanta % 8 === 0) this.port.postMessage({ level: this.#level.take() });
    return true;
  }

  #next = () => {
    const piece = this.#queue[0];
    if (!piece) return 0;
    const code = piece[this.#offset++];
    if (this.#offset === piece.length) {
      this.#queue.shift();
      this.#offset = 0;
    }
    this.#taken++;
    return decode(code);
  };

  #return() {
    const marks = [];
    while (this.#marks.length && this.#marks[0][0] <= this.#taken) marks.push(this.#marks.shift()[1]);
    if (marks.length) this.port.postMessage({ marks });
  }
}

registerProcessor("ear", Ear);
registerProcessor("mouth", Mouth);
