import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { written } from './made-question.fixture.js';
import type { Question } from './question.js';
import { rules } from './rules.js';
import { tdxCollateral } from './tdx/collateral.js';
import { vendorRoots } from './vendor-roots.js';
import { verifyEvidence } from './verify-evidence.js';

const data = (name: string) => readFileSync(new URL(`../testdata/${name}`, import.meta.url));
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const ark = new X509Certificate(vendorRoots.amd.Milan);
const collateral = tdxCollateral.parse(JSON.parse(data('tdx-quote-collateral.json').toString()));
const roots = {
  amd: [{ product: 'Milan', ark, crl: 'unknown' as const }],
  intel: { root: new X509Certificate(vendorRoots.intel), collateral: [collateral] },
};

const report = data('report-milan.bin');
const snp = {
  measurement: hexOf(report.subarray(0x90, 0xc0)),
  reportData: report.subarray(0x50, 0x90),
};
const quote = data('tdx-quote.bin');
const td = {
  mrTd: hexOf(quote.subarray(48 + 136, 48 + 184)),
  reportData: quote.subarray(48 + 520, 48 + 584),
};

const expectations = rules.parse({
  sevSnp: {
    measurements: [snp.measurement],
    minimumTcb: { Milan: { bootloader: 3, tee: 0, snp: 8, microcode: 115 } },
  },
  tdx: { measurements: [{ mrTd: td.mrTd }], minimumTcbEvaluation: 0 },
});
const question = (now: string, nonce: Uint8Array): Question => ({
  rules: expectations,
  roots,
  now: new Date(now),
  nonce,
  nodeKey: 'a key that no vector is bound to',
});

const sevSnp = (reportName: string, keyName: string, bent = data(reportName)) =>
  written({
    kind: 'sev_snp',
    report: bent.toString('base64'),
    certificates: [data(keyName), data('ask-milan.der')].map(der => der.toString('base64')),
  });
const tdx = (bent = quote) => written({ kind: 'tdx', quote: bent.toString('base64') });

/** As makers and independent projects publish them. */
test.each([
  ['Milan', '69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd'],
  ['Genoa', '4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1'],
  ['Turin', '1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a'],
] as const)('the root of %s is that of AMD', (product, sha256) => {
  const root = new X509Certificate(vendorRoots.amd[product]);
  expect(root.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(sha256);
  expect(root.verify(root.publicKey)).toBe(true);
});
test('the root of TDX is that of Intel', () => {
  const root = new X509Certificate(vendorRoots.intel);
  expect(root.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(
    '44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3',
  );
});

/** None is bound to a node of ours: what is refused last says that all before it was in order. */
describe('real evidence is refused only because it is bound to nobody here', () => {
  const cases: readonly (readonly [string, Uint8Array, Question])[] = [
    [
      'an SEV-SNP report',
      sevSnp('report-milan.bin', 'vcek-milan.der'),
      question('2026-06-01T00:00:00Z', snp.reportData.subarray(0, 32)),
    ],
    ['a TDX quote', tdx(), question('2025-06-20T00:00:00Z', td.reportData.subarray(0, 32))],
  ];
  test.each(cases)('%s', async (_kind, document, asked) => {
    expect(await verifyEvidence(document, asked)).toMatchObject({ reason: 'key' });
    expect(await verifyEvidence(document, { ...asked, nonce: new Uint8Array(32) })).toMatchObject({
      reason: 'nonce',
    });
  });
});

test('a real report of a machine that may be debugged is refused for that', async () => {
  const asked = question('2026-06-01T00:00:00Z', new Uint8Array(32));
  const document = sevSnp('report-milan-debug.bin', 'vcek-milan-debug.der');
  expect(await verifyEvidence(document, asked)).toMatchObject({ reason: 'debug' });
});

test('a real report under the key of another chip is refused', async () => {
  const asked = question('2026-06-01T00:00:00Z', new Uint8Array(32));
  const document = sevSnp('report-milan.bin', 'vcek-milan-debug.der');
  expect(await verifyEvidence(document, asked)).toMatchObject({ reason: 'signature' });
});

test('real collateral counts only for its time', async () => {
  const late = question('2026-06-01T00:00:00Z', td.reportData.subarray(0, 32));
  expect(await verifyEvidence(tdx(), late)).toMatchObject({ reason: 'collateral' });
});

/** All but the room after the report's signature, and the quote's certificates, of which the last is unused. */
const SNP_COVERED_BYTES = 0x2a0 + 2 * 72;
const TDX_COVERED_BYTES = quote.indexOf('-----BEGIN CERTIFICATE-----');

test('any other bit of real evidence is noticed before anybody asks to whom it is bound', async () => {
  const flipped = (bytes: Buffer, bit: number) => {
    const copy = Buffer.from(bytes);
    copy[bit >> 3]! ^= 1 << (bit & 7);
    return copy;
  };
  const reasonOf = async (document: Uint8Array, asked: Question) => {
    const verdict = await verifyEvidence(document, asked);
    return verdict.accepted ? 'accepted' : verdict.reason;
  };
  const noticed = expect.not.stringMatching(/^(accepted|nonce|key)$/);
  await fc.assert(
    fc.asyncProperty(fc.nat(8 * SNP_COVERED_BYTES - 1), async bit => {
      const asked = question('2026-06-01T00:00:00Z', snp.reportData.subarray(0, 32));
      const document = sevSnp('report-milan.bin', 'vcek-milan.der', flipped(report, bit));
      expect(await reasonOf(document, asked)).toEqual(noticed);
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(8 * TDX_COVERED_BYTES - 1), async bit => {
      const asked = question('2025-06-20T00:00:00Z', td.reportData.subarray(0, 32));
      expect(await reasonOf(tdx(flipped(quote, bit)), asked)).toEqual(noticed);
    }),
  );
});
