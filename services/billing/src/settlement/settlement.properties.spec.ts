import { expect, test } from '@jest/globals';
import { isProven } from '@astro/chain/payouts/tree';
import type { BatchSealed, Share, TaskCharged } from '@astro/messages/billing';
import { changeOf, feeIn } from '@astro/messages/ledger-accounts';
import fc from 'fast-check';
import { chargeFor } from '../account/charge.js';
import { feeOn, partsOfFee, type FeeTerms } from '../account/fee.js';
import { transfer } from '../account/postings.js';
import { batchIdOf, claimsOf, contentOf, grossOf, treeOf } from './batch.js';
import { Shares, sharesOf } from './share.js';

const seed = Number(process.env['PROPERTY_SEED'] ?? 1);
const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);
const walletOf = (id: string) => `0x${Buffer.from(id).toString('hex').padStart(40, '0')}`;

const terms: fc.Arbitrary<FeeTerms> = fc
  .record({
    feeBps: fc.integer({ min: 100, max: 500 }),
    burnBps: fc.integer({ min: 0, max: 10_000 }),
    most: fc.integer({ min: 0, max: 10_000 }),
  })
  .map(({ feeBps, burnBps, most }) => ({
    ...{ feeBps, burnBps },
    ...(most > 2_000 && { validatorBps: Math.min(most, 10_000 - burnBps) }),
  }));
const result = fc.record({
  operatorId: fc.integer({ min: 1, max: 6 }).map(id => `operator_${id}`),
  meteredMs: fc.integer({ min: 0, max: 3_000_000 }),
  pricePerSecondAtto: fc.oneof(fc.bigInt(0n, 50n), fc.bigInt(0n, 10n ** 24n)),
});
const task = fc.record({
  tenantId: fc.integer({ min: 1, max: 5 }).map(id => `tenant_${id}`),
  work: fc.array(result, { minLength: 1, maxLength: 4 }),
});

/** What the ledger records when the work is charged. */
function charged(
  {
    tenantId,
    work,
  }: {
    tenantId: string;
    work: readonly { operatorId: string; meteredMs: number; pricePerSecondAtto: bigint }[];
  },
  terms: FeeTerms,
): TaskCharged {
  const results = work.map((of, index) => ({
    ...{
      ...of,
      leaseId: `lease_${index}`,
      nodeId: 'node_1',
      fault: 'none' as const,
      digest: '',
      outputs: [],
    },
  }));
  const charge = chargeFor({ work: results, ...terms });
  const postings = transfer(`tenant:${tenantId}:reserved`, charge.parts);
  const { meteredMs } = charge;
  const about = { tenantId, jobId: 'job_1', taskId: 'task_1', ...terms, meteredMs };
  return { ...about, postings, work: charge.work };
}

test('what the leases of a charge cost, and bear of the fee, is the whole charge and what operators earn of it', () =>
  fc.assert(
    fc.property(task, terms, (of, fee) => {
      const { tenantId, postings, work } = charged(of, fee);
      expect(sum(work.map(({ grossAtto }) => grossAtto))).toBe(
        -changeOf(`tenant:${tenantId}:reserved`, postings),
      );
      for (const operatorId of new Set(work.map(lease => lease.operatorId))) {
        const own = work.filter(lease => lease.operatorId === operatorId);
        const earned = sum(own.map(({ grossAtto, feeAtto }) => grossAtto - feeAtto));
        expect(earned).toBe(changeOf(`operator:${operatorId}:earned`, postings));
      }
    }),
    { seed, numRuns: 500 },
  ));

test('the shares of a charge are the whole charge, to the base unit', () =>
  fc.assert(
    fc.property(task, terms, (work, fee) => {
      const charge = charged(work, fee);
      const shares = sharesOf(charge);
      const of = (account: string) =>
        sum(
          charge.postings.filter(posting => posting.account === account).map(posting => posting.amountAtto),
        );
      expect(sum(shares.map(grossOf))).toBe(-of(`tenant:${work.tenantId}:reserved`));
      expect(sum(shares.map(({ burnedAtto }) => burnedAtto))).toBe(of('platform:burned'));
      expect(sum(shares.map(({ validatorsAtto = 0n }) => validatorsAtto))).toBe(of('platform:validators'));
      expect(sum(shares.map(({ feeAtto }) => feeAtto))).toBe(feeIn(charge.postings));
      for (const { netAtto, feeAtto, burnedAtto, validatorsAtto = 0n } of shares) {
        // Each is rounded by itself, so that the two may pass the fee of a share by as much.
        expect(netAtto > 0n && burnedAtto >= 0n && validatorsAtto >= 0n).toBe(true);
        expect(feeAtto >= burnedAtto + validatorsAtto - 2n).toBe(true);
      }
    }),
    { seed, numRuns: 500 },
  ));

test('a batch of any charges adds up as the contract computes it, and its postings sum to zero', () =>
  fc.assert(
    fc.property(fc.array(task, { minLength: 1, maxLength: 40 }), terms, (tasks, fee) => {
      const gathered = new Shares();
      for (const of of tasks) for (const share of sharesOf(charged(of, fee))) gathered.add(share);
      const shares: readonly Share[] = gathered.all;
      if (shares.length === 0) return;
      const wallets = new Map(
        shares.flatMap(({ tenantId, operatorId }) => [tenantId, operatorId]).map(id => [id, walletOf(id)]),
      );
      const content = contentOf(shares, fee, wallets);

      const grossAtto = sum(content.debits.map(({ amountAtto }) => amountAtto));
      const feeAtto = feeOn(grossAtto, fee);
      const { toValidatorsAtto = 0n, burnedAtto, toTreasuryAtto } = content;
      expect(grossAtto).toBe(sum(shares.map(grossOf)));
      expect(content.netAtto).toBe(grossAtto - feeAtto);
      expect(sum(content.payouts.map(({ amountAtto }) => amountAtto))).toBe(content.netAtto);
      expect({ burnedAtto, toTreasuryAtto, toValidatorsAtto }).toEqual(partsOfFee(feeAtto, fee));
      expect(burnedAtto + toTreasuryAtto + toValidatorsAtto).toBe(feeAtto);
      expect(leftAfter(shares, content)).toEqual({ burnedAtto, toTreasuryAtto, toValidatorsAtto });
      expect(sum(content.postings.map(({ amountAtto }) => amountAtto))).toBe(0n);
      for (const { operatorId, amountAtto } of content.payouts) {
        const earned = sum(shares.filter(of => of.operatorId === operatorId).map(({ netAtto }) => netAtto));
        const dust = earned > amountAtto ? earned - amountAtto : amountAtto - earned;
        expect(dust <= BigInt(tasks.length * 4 + 1)).toBe(true);
      }
      expect(contentOf([...shares].reverse(), fee, wallets)).toEqual(content);
    }),
    { seed, numRuns: 300 },
  ));

/** What the ledger has of the fees once the batch is sealed: what the chain is then told to pay. */
function leftAfter(shares: readonly Share[], { postings }: Pick<BatchSealed, 'postings'>) {
  const of = (member: 'feeAtto' | 'burnedAtto' | 'validatorsAtto') =>
    sum(shares.map(share => share[member] ?? 0n));
  const [burned, validators] = [of('burnedAtto'), of('validatorsAtto')];
  return {
    burnedAtto: burned + changeOf('platform:burned', postings),
    toValidatorsAtto: validators + changeOf('platform:validators', postings),
    toTreasuryAtto: of('feeAtto') - burned - validators + changeOf('platform:fees', postings),
  };
}

test('every payout of a batch is proven by its proof, and no other is', () =>
  fc.assert(
    fc.property(fc.array(fc.bigInt(1n, 10n ** 27n), { minLength: 2, maxLength: 40 }), amounts => {
      const payouts = amounts.map((amountAtto, index) => ({
        ...{ operatorId: `operator_${index}`, address: walletOf(`operator_${index}`), amountAtto },
      }));
      const claims = claimsOf(batchIdOf(1, 2), payouts);
      const tree = treeOf(batchIdOf(1, 2), payouts);
      for (const of of claims) {
        const proof = tree.proofOf(of.index);
        expect(isProven(tree.root, of, proof)).toBe(true);
        expect(isProven(tree.root, claims[(of.index + 1) % claims.length]!, proof)).toBe(false);
      }
    }),
    { seed, numRuns: 30 },
  ));
