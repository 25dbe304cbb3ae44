import type { X509Certificate } from 'node:crypto';
import type { JSONWebKeySet } from 'jose';
import type { TdxCollateral } from './tdx/collateral.js';

export type AmdRoot = {
  readonly product: string;
  readonly ark: X509Certificate;
  /** The ARK's list of revoked certificates, in DER. `unknown`: nobody asks whether the ASK was revoked. */
  readonly crl: Uint8Array | 'unknown';
};

/** Whom the platform trusts, and what they publish from time to time. Nothing here is fetched. */
export type Roots = {
  readonly amd: readonly AmdRoot[];
  readonly intel?: {
    readonly root: X509Certificate;
    /** For each family of processors, by its FMSPC. */
    readonly collateral: readonly TdxCollateral[];
  };
  /** The keys of NVIDIA's verifier, or of one's own. */
  readonly nvidia?: JSONWebKeySet;
};
