import { deviceNonceOf, reportDataOf } from './binding.js';
import type { EvidenceDocument } from './evidence.js';
import { MadeNvidia, madeIssuer } from './nvidia/made-tokens.fixture.js';
import type { Question } from './question.js';
import { rules, type Rules } from './rules.js';
import { MadeAmd, madeMeasurement } from './sev-snp/made-report.fixture.js';
import { MadeIntel, madeMrTd } from './tdx/made-quote.fixture.js';

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Accepts what the makers make, and nothing else. */
export const madeRules: Rules = rules.parse({
  validitySeconds: 3_600,
  sevSnp: {
    measurements: [hexOf(madeMeasurement)],
    minimumTcb: { Milan: { bootloader: 3, tee: 0, snp: 8, microcode: 115 } },
  },
  tdx: { measurements: [{ mrTd: hexOf(madeMrTd), rtMr3: '0'.repeat(96) }], minimumTcbEvaluation: 17 },
  nvidia: {
    issuer: madeIssuer,
    hardwareModels: ['GH100'],
    minimumDriver: '550.90.07',
    minimumVbios: '96.00.9F.00.01',
  },
});

export const nonce = new Uint8Array(32).map((_, index) => 255 - index);
export const nodeKey = `U${'A'.repeat(55)}`;
export const reportData = reportDataOf(nonce, nodeKey);
export const deviceNonce = deviceNonceOf(nonce, nodeKey);

/** Makers of hardware with roots of their own, and a platform that trusts them. */
export class MadeWorld {
  private constructor(
    readonly now: Date,
    readonly amd: MadeAmd,
    readonly intel: MadeIntel,
    readonly nvidia: MadeNvidia,
    readonly question: Question,
  ) {}

  static async create(now: Date): Promise<MadeWorld> {
    const [amd, intel] = [await MadeAmd.create(now), await MadeIntel.create(now)];
    const nvidia = await MadeNvidia.create(now);
    const roots = {
      amd: [amd.root],
      intel: { root: intel.trusted, collateral: [await intel.collateral()] },
      nvidia: nvidia.keys,
    };
    return new MadeWorld(now, amd, intel, nvidia, { rules: madeRules, roots, now, nonce, nodeKey });
  }
}

export const written = (evidence: EvidenceDocument): Uint8Array => Buffer.from(JSON.stringify(evidence));
