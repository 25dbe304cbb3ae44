/** Why evidence was refused. Each names the one thing that was found wrong first. */
export type Refusal =
  /** Not of the shape that its kind has: truncated, of an unknown version, not JSON. */
  | 'malformed'
  | 'oversized'
  /** The rules expect no evidence of this kind. */
  | 'kind'
  /** A certificate was not issued by the next one, or the last one not by a root. */
  | 'chain'
  | 'expired'
  | 'not_yet_valid'
  | 'revoked'
  /** What evidence is held against is missing or too old: for the platform's operator to bring up to date. */
  | 'collateral'
  | 'signature'
  /** Signed, but of another chip or with other firmware than the key that signed it is for. */
  | 'chip'
  | 'debug'
  /** The machine was started so that somebody outside of it keeps a right over it. */
  | 'policy'
  | 'measurement'
  | 'firmware'
  | 'hardware'
  | 'nonce'
  /** Bound to the key of another node. */
  | 'key'
  /** A verifier that was asked before says that the device failed. */
  | 'result'
  /** Tokens of devices that the token over all of them does not speak of, or the reverse. */
  | 'devices';

export type Refused = { readonly accepted: false; readonly reason: Refusal; readonly detail: string };

/** What evidence says, once all of it has been verified. */
export type Findings = {
  /** Of the software that was started, in hexadecimal digits. */
  readonly measurement: string;
  readonly firmware: string;
  readonly hardwareClass: string;
  /** Devices beside the processor that proved themselves. */
  readonly deviceCount: number;
};

export type Accepted = Findings & {
  readonly accepted: true;
  readonly kind: 'sev_snp' | 'tdx' | 'nvidia_cc';
  /** Never later than anything that it rests on. */
  readonly expiresAt: Date;
  /** The node's key, in the form in which it was expected. */
  readonly boundKey: string;
};

/** Thrown between the steps of a verification; whoever asked for it gets a `Refused`. */
export class EvidenceRefused extends Error {
  override readonly name = 'EvidenceRefused';

  constructor(
    readonly reason: Refusal,
    readonly detail: string,
  ) {
    super(`${reason}: ${detail}`);
  }
}

/** @throws EvidenceRefused unless it holds */
export function demand(holds: boolean, reason: Refusal, detail: string): asserts holds {
  if (!holds) throw new EvidenceRefused(reason, detail);
}
