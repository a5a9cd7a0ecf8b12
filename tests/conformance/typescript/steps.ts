// The steps of an action's life, and what each client makes of them; prints one line of JSON a step.

declare const process: { readonly argv: readonly string[] };

export interface Answered {
  readonly data?: unknown;
  readonly error?: unknown;
  readonly response?: Response | undefined;
}

/** Prints the answer to a step, and returns it. */
export async function step<A extends Answered>(name: string, call: Promise<A>): Promise<A> {
  const answered = await call;
  const { data, error, response } = answered;
  console.log(JSON.stringify({ step: name, status: response?.status, data, error }));
  return answered;
}

/** Returns what has to be there. */
export function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("expected a value, got none");
  return value;
}

export const BASE_URL = required(process.argv[2]);
export const TOKEN = required(process.argv[3]);
