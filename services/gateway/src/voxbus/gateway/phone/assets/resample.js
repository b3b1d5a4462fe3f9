// Between the rate of a sound card and that of a telephone line: a windowed-sinc low-pass in polyphase form.
//
// 8 kHz audio holds nothing above 4 kHz: what is there must be taken out before samples are left out, or it comes back as
// other tones. Pass band to 3.3 kHz, -80 dB from 4.1 kHz; the delay is 3 ms.

const ZEROS = 24; // of the sinc, on either side
const CUT = 0.925; // of half the lower rate: the middle of the slope
const BETA = 7.86; // Kaiser's window for -80 dB

const divisor = (a, b) => (b ? divisor(b, a % b) : a);

/** Modified Bessel function of the first kind, order 0. */
function bessel(x) {
  let sum = 1;
  for (let term = 1, k = 1; term > 1e-12 * sum; k++) sum += term *= (x / (2 * k)) ** 2;
  return sum;
}

export class Resampler {
  constructor(fromHz, toHz) {
    const common = divisor(fromHz, toHz);
    this.up = toHz / common;
    this.down = fromHz / common;
    const lower = Math.min(1, toHz / fromHz);
    const half = Math.ceil(ZEROS / lower);
    this.taps = 2 * half;
    this.phases = Array.from({ length: this.up }, (_, phase) => kernel(half, phase / this.up, CUT * lower));
    this.history = new Float32Array(2 * this.taps); // twice in a row, so that any window of it is in one piece
    this.at = 0;
    this.phase = 0;
    this.due = 1; // samples in until the next one out
  }

  /** Takes one sample and hands on each one that it makes whole. */
  push(sample, emit) {
    this.#take(sample);
    while (this.due === 0) emit(this.#make());
  }

  /** The next sample out; `next` is asked for those that it takes. */
  pull(next) {
    while (this.due > 0) this.#take(next());
    return this.#make();
  }

  #take(sample) {
    this.history[this.at] = this.history[this.at + this.taps] = sample;
    this.at = (this.at + 1) % this.taps;
    this.due--;
  }

  #make() {
    const weights = this.phases[this.phase];
    let sum = 0;
    for (let k = 0, at = this.at; k < this.taps; k++, at++) sum += weights[k] * this.history[at];
    this.phase += this.down;
    this.due = Math.floor(this.phase / this.up);
    this.phase %= this.up;
    return sum;
  }
}

/** The weights of the samples around a point that lies `fraction` after one of them. Together they weigh 1. */
function kernel(half, fraction, cut) {
  const weights = new Float32Array(2 * half);
  let sum = 0;
  for (let k = 0; k < weights.length; k++) {
    const x = k - half + 1 - fraction;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * cut * x) / (Math.PI * cut * x);
    const inside = Math.max(0, 1 - (x / half) ** 2);
    sum += weights[k] = sinc * bessel(BETA * Math.sqrt(inside));
  }
  return weights.map((weight) => weight / sum);
}
