/** Whether a network with polynomials gives the answers of the one that it stands for. */

import { erf } from "../../layers/index.ts";
import type { Tensor } from "../../plan/index.ts";

/** How outputs with polynomials compare with the exact ones. */
export interface AnswerComparison {
  /** The part of the inputs whose largest output is the same. */
  readonly agreement: number;
  /**
   * The same as is to be expected of other inputs. Counting says little where hardly any answer changes, so it is estimated: errors of the
   * differences between outputs, taken together over all inputs, against the differences that keep the largest one the largest.
   */
  readonly expectedAgreement: number;
  /** Largest error of an output, relative to the largest output. */
  readonly outputError: number;
}

/** How much is added to the deviation of errors that one input shows. */
const CAUTION = 2;

export function compareAnswers(expected: readonly Tensor[], found: readonly Tensor[]): AnswerComparison {
  let [agreeing, worst, largest] = [0, 0, 0];
  let [squares, count] = [0, 0];
  /** For each input, by how much its largest output exceeds each other one. */
  const leads: number[][] = [];
  for (const [i, { data }] of expected.entries()) {
    const own = found[i].data;
    const best = indexOfLargest(data);
    if (best === indexOfLargest(own)) agreeing++;
    const lead: number[] = [];
    for (const [k, value] of data.entries()) {
      largest = Math.max(largest, Math.abs(value));
      worst = Math.max(worst, Math.abs(own[k] - value));
      if (k === best) continue;
      lead.push(data[best] - value);
      squares += (own[best] - own[k] - data[best] + value) ** 2;
      count++;
    }
    leads.push(lead);
  }
  // Errors of few inputs may be smaller than those of many by chance.
  const deviation = (1 + CAUTION / Math.sqrt(expected.length)) * Math.sqrt(squares / Math.max(1, count));
  const changed = leads.map((lead) =>
    Math.min(
      1,
      lead.reduce((sum, gap) => sum + tail(gap, deviation), 0),
    ),
  );
  return {
    agreement: agreeing / expected.length,
    expectedAgreement: 1 - changed.reduce((sum, part) => sum + part, 0) / expected.length,
    outputError: largest > 0 ? worst / largest : worst,
  };
}

/** How likely a normal error of this deviation exceeds a gap. */
function tail(gap: number, deviation: number): number {
  return deviation > 0 ? (1 - erf(gap / (deviation * Math.SQRT2))) / 2 : 0;
}

function indexOfLargest(data: Float64Array): number {
  return data.reduce((best, value, i) => (value > data[best] ? i : best), 0);
}
