// Mu-law (ITU-T G.711), as the services have it: the codes are the same for every 16-bit sample.

/** The code of linear 0, which is what a quiet line carries. */
export const SILENCE = 0xff;

const BIAS = 33; // 14-bit: makes the segments' edges powers of two
const CLIP = 8191 - BIAS;

const DECODE = Float32Array.from({ length: 256 }, (_, code) => {
  const bits = ~code & 0xff;
  const magnitude = ((2 * (bits & 15) + BIAS) << ((bits >> 4) & 7)) - BIAS;
  return (4 * (bits & 0x80 ? -magnitude : magnitude)) / 32768;
});

/** One sample of -1 to 1 for a code. */
export const decode = (code) => DECODE[code];

/** The code for a sample; beyond -1 to 1 it is clipped. */
export function encode(sample) {
  const linear = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
  // A negative sample is complemented, not negated: -1 and 0 share a magnitude.
  const biased = Math.min((linear < 0 ? ~linear : linear) >> 2, CLIP) + BIAS;
  const segment = 26 - Math.clz32(biased); // the position of the highest bit above bit 5
  return ~((linear < 0 ? 0x80 : 0) | (segment << 4) | ((biased >> (segment + 1)) & 15)) & 0xff;
}
