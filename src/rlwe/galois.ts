/** Galois elements: how slots turn when X becomes X^g. Slot j stands for the root's power 3^j (SEAL's convention). */

const GENERATOR = 3;

/** The Galois element that rotates slots to the left by `steps`: slot t takes the value of slot t + steps modulo N/2. */
export function rotationElement(ringDegree: number, steps: number): number {
  const order = ringDegree / 2;
  const count = ((steps % order) + order) % order;
  let element = 1;
  for (let i = 0; i < count; i++) element = (element * GENERATOR) % (2 * ringDegree);
  return element;
}

/** The Galois element that conjugates every slot. */
export function conjugationElement(ringDegree: number): number {
  return 2 * ringDegree - 1;
}

/** g^-1 modulo 2N, the element that undoes g. */
export function inverseElement(ringDegree: number, element: number): number {
  // The group of odd residues modulo 2N has exponent N/2, so g^(N/2 - 1) is the inverse.
  const modulus = 2 * ringDegree;
  let inverse = 1;
  for (let square = element, rest = ringDegree / 2 - 1; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) inverse = (inverse * square) % modulus;
    square = (square * square) % modulus;
  }
  return inverse;
}
