/** Requests to the API. A failure has a message, a code and a hint. */

import { parse } from "../format/printable";
import type { Answer, Basis, Definition, Orders, Pipeline } from "./shapes";

export class Refusal extends Error {
  readonly code: string;
  readonly hint: string;
  /** True if kassa did not answer at all. */
  readonly unreachable: boolean;

  constructor(message: string, code: string, hint: string, unreachable = false) {
    super(message);
    this.code = code;
    this.hint = hint;
    this.unreachable = unreachable;
  }
}

export function unreachable(): Refusal {
  return new Refusal("kassa does not answer", "", "Is it running? Start it with kassa run.", true);
}

/** The refusal in a response that is not 2xx, with any body. */
export async function refusalOf(response: Response): Promise<Refusal> {
  try {
    const { error } = parse<{ error: { code?: string; message?: string; hint?: string } }>(await response.text());
    return new Refusal(error.message ?? response.statusText, error.code ?? String(response.status), error.hint ?? "");
  } catch {
    return new Refusal(`kassa answered ${response.status} ${response.statusText}`.trim(), String(response.status), "");
  }
}

async function get<T>(path: string, query: Record<string, string | undefined>, signal?: AbortSignal): Promise<T> {
  const set = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== "");
  const url = set.length ? `${path}?${new URLSearchParams(set)}` : path;
  let response: Response;
  try {
    response = await fetch(url, { signal: signal ?? null, headers: { accept: "application/json" } });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw unreachable();
  }
  if (!response.ok) throw await refusalOf(response);
  return parse<T>(await response.text());
}

export interface Question {
  figure: string;
  by?: string;
  from?: string | undefined;
  to?: string | undefined;
  basis: Basis;
}

export const catalogue = (signal?: AbortSignal): Promise<Definition[]> => get("./api/v1/figures", {}, signal);

export const ask = ({ figure, ...query }: Question, signal?: AbortSignal): Promise<Answer> =>
  get(`./api/v1/figures/${encodeURIComponent(figure)}`, query, signal);

export const pipeline = (signal?: AbortSignal): Promise<Pipeline> => get("./api/v1/pipeline", {}, signal);

export const orders = (query: Record<string, string | undefined>, signal?: AbortSignal): Promise<Orders> => get("./api/v1/orders", query, signal);
