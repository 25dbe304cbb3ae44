import { expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type {
  BatchSealed,
  BatchSettled,
  SealBatch,
  SettlementCommand,
  SettlementEvent,
  Share,
} from '@astro/messages/billing';
import { bytes32Of } from '@astro/chain/payouts/ids';
import { MAX_EXPLAINED, settlement } from './settlement.js';

const given = specify(settlement);
const terms = { feeBps: 250, burnBps: 2_000 };
const share = (tenant: number, operator: number, netAtto = 975n): Share => ({
  ...{ tenantId: `tenant_${tenant}`, operatorId: `operator_${operator}`, netAtto, ...terms },
  ...{ feeAtto: netAtto / 39n, burnedAtto: netAtto / 39n / 5n },
});
const walletOf = (ownerId: string) => ({
  ownerId,
  address: `0x${Buffer.from(ownerId).toString('hex').padStart(40, '0')}`,
});
const everybody = ['tenant_1', 'tenant_2', 'operator_1', 'operator_2'].map(walletOf);
const seal = (changes: Partial<SealBatch> = {}): SettlementCommand => ({
  type: 'SealBatch',
  data: {
    ...{ chainId: 1, fromPosition: 0, toPosition: 10, ...terms, chargedAt: new Date(1_000) },
    ...{ shares: [share(1, 1), share(2, 2)], wallets: everybody, ...changes },
  },
});

/** What follows when the commands are carried out one after the other. */
function events(...commands: readonly SettlementCommand[]): readonly SettlementEvent[] {
  const all: SettlementEvent[] = [];
  for (const command of commands) {
    const state = all.reduce(settlement.evolve, settlement.initialState);
    const decision = settlement.decide(command, state);
    if (!decision.accepted) throw new Error(`${command.type}: ${decision.rejection}`);
    all.push(...decision.events);
  }
  return all;
}
const sealedBy = (command: SettlementCommand): BatchSealed => {
  const [event] = events(command);
  if (event?.type !== 'BatchSealed') throw new Error('nothing was sealed');
  return event.data;
};
const first = sealedBy(seal());
const confirm = (changes: object = {}): SettlementCommand => {
  const { batchId, root, netAtto, burnedAtto, toTreasuryAtto } = first;
  const data = { batchId, root, netAtto, burnedAtto, toTreasuryAtto, transactionHash: '0x1', ...changes };
  return { type: 'ConfirmBatch', data };
};
const claim = (index: number, changes: object = {}): SettlementCommand => {
  const { address, amountAtto } = first.payouts[index] ?? { address: '0x', amountAtto: 0n };
  const data = { batchId: first.batchId, index, address, amountAtto, transactionHash: '0x2', ...changes };
  return { type: 'ConfirmClaim', data };
};

test('a batch pays each operator what it earned and debits each tenant what it owes', () => {
  expect(first.payouts.map(({ operatorId, amountAtto }) => [operatorId, amountAtto])).toEqual([
    ['operator_1', 975n],
    ['operator_2', 975n],
  ]);
  expect(first.debits.map(({ tenantId, amountAtto }) => [tenantId, amountAtto])).toEqual([
    ['tenant_1', 1_000n],
    ['tenant_2', 1_000n],
  ]);
  expect(first).toMatchObject({ number: 1, netAtto: 1_950n, burnedAtto: 10n, toTreasuryAtto: 40n });
  expect(bytes32Of(first.batchId)).toMatch(/^0x[0-9a-f]{64}$/);
});

test('a range that was sealed is not sealed again, and none is left out', () => {
  given(...events(seal()))
    .when(seal())
    .thenNothing();
  const open = events(seal(), confirm());
  given(...open)
    .when(seal({ fromPosition: 9, toPosition: 20 }))
    .thenRejected('RangeIsNotNext');
  given(...open)
    .when(seal({ fromPosition: 11, toPosition: 20 }))
    .thenRejected('RangeIsNotNext');
  given()
    .when(seal({ toPosition: 0 }))
    .thenRejected('RangeIsInvalid');
});

test('the next batch waits until the chain has settled the one before', () => {
  const next = seal({ fromPosition: 10, toPosition: 20 });
  given(...events(seal()))
    .when(next)
    .thenRejected('BatchIsOpen');
  expect(events(seal(), confirm(), next).at(-1)).toMatchObject({ data: { number: 2 } });
});

test('charges of two fees are never in one batch', () =>
  given()
    .when(seal({ shares: [{ ...share(1, 1), feeBps: 300 }] }))
    .thenRejected('SharesAreOfAnotherFee'));

test('what waits for a wallet waits by its fee, and is taken up by a batch of that fee alone', () => {
  const wallets = everybody.filter(({ ownerId }) => ownerId !== 'operator_2');
  const later = { ...terms, validatorBps: 3_000 };
  const [before, after] = [share(1, 2), { ...share(1, 2), ...later, validatorsAtto: 7n }];
  const history = events(
    seal({ wallets, shares: [before] }),
    seal({ ...later, wallets, shares: [after], fromPosition: 10, toPosition: 20 }),
  );
  const none = { shares: [], fromPosition: 20, toPosition: 20 };
  const takenUp = (fee: object) =>
    decided(history, seal({ ...none, ...fee })).map(({ data }) => (data as BatchSealed).takenUp);
  expect([takenUp(terms), takenUp(later)]).toEqual([[[before]], [[after]]]);
});

test('more tenants than the contract debits are refused', () => {
  const shares = Array.from({ length: 501 }, (_, index) => share(index, 1));
  given().when(seal({ shares })).thenRejected('TooManyShares');
});

test('who has no wallet waits, and is in the first batch after it has one', () => {
  const wallets = everybody.filter(({ ownerId }) => ownerId !== 'operator_2');
  const [sealed, settled] = events(seal({ wallets }), confirm(rootOf(seal({ wallets }))));
  expect(sealed).toMatchObject({
    data: { heldBack: [share(2, 2)], payouts: [{ operatorId: 'operator_1' }] },
  });
  const none = seal({ fromPosition: 10, toPosition: 10, shares: [] });
  expect(given(sealed!, settled!).when(none)).toBeDefined();
  const [later] = decided([sealed!, settled!], none);
  expect(later).toMatchObject({
    type: 'BatchSealed',
    data: { takenUp: [share(2, 2)], payouts: [{ operatorId: 'operator_2', amountAtto: 975n }] },
  });
  given(sealed!, settled!, later!).when(none).thenRejected('BatchIsOpen');
  given()
    .when(seal({ wallets: [] }))
    .then({
      type: 'SharesHeldBack',
      data: { fromPosition: 0, toPosition: 10, heldBack: [share(1, 1), share(2, 2)] },
    });
});

const rootOf = (command: SettlementCommand) => {
  const { root, netAtto, burnedAtto, toTreasuryAtto } = sealedBy(command);
  return { root, netAtto, burnedAtto, toTreasuryAtto };
};
function decided(
  history: readonly SettlementEvent[],
  command: SettlementCommand,
): readonly SettlementEvent[] {
  const decision = settlement.decide(command, history.reduce(settlement.evolve, settlement.initialState));
  return decision.accepted ? decision.events : [];
}

test('what the chain has settled is claimable once, and what was claimed leaves the ledger once', () => {
  const history = events(seal(), confirm(), claim(0));
  given(...history)
    .when(confirm())
    .thenNothing();
  given(...history)
    .when(claim(0))
    .thenNothing();
  const { postings } = history.at(-1)!.data as { postings: readonly object[] };
  expect(postings).toEqual([
    { account: 'operator:operator_1:claimable', amountAtto: -975n },
    { account: 'escrow:custody', amountAtto: 975n },
  ]);
  given(...history, ...decided(history, claim(1)))
    .when(claim(1), confirm())
    .thenNothing();
});

test('what validators have of the fee is sealed with the batch, and leaves when the chain has paid it', () => {
  const withValidators = { ...terms, validatorBps: 3_000 };
  const shares = [1, 2].map(of => ({ ...share(of, of), ...withValidators, validatorsAtto: 7n }));
  const sealing = seal({ ...withValidators, shares });
  const { batchId, root, netAtto, burnedAtto, toTreasuryAtto, toValidatorsAtto, postings } =
    sealedBy(sealing);
  const parts = { netAtto, burnedAtto, toTreasuryAtto, toValidatorsAtto };
  expect(parts).toEqual({ netAtto: 1_950n, burnedAtto: 10n, toTreasuryAtto: 25n, toValidatorsAtto: 15n });
  expect(postings).toContainEqual({ account: 'platform:validators', amountAtto: 1n });
  const settled = { batchId, root, ...parts, transactionHash: '0x1' };
  const [, event] = events(sealing, { type: 'ConfirmBatch', data: settled });
  expect((event!.data as BatchSettled).postings).toEqual(
    expect.arrayContaining([
      { account: 'platform:validators', amountAtto: -15n },
      { account: 'escrow:custody', amountAtto: 50n },
    ]),
  );
  const { toValidatorsAtto: _none, ...without } = settled;
  given(...events(sealing))
    .when({ type: 'ConfirmBatch', data: without })
    .thenRejected('BatchDiffersFromChain');
  given()
    .when(seal({ ...withValidators, shares: [share(1, 1)] }))
    .thenRejected('SharesAreOfAnotherFee');
});

test('a settlement or a claim that is not what was sealed moves nothing', () => {
  const sealed = events(seal());
  given(...sealed)
    .when(confirm({ root: '0x0' }))
    .thenRejected('BatchDiffersFromChain');
  given(...sealed)
    .when(confirm({ netAtto: 1n }))
    .thenRejected('BatchDiffersFromChain');
  given(...sealed)
    .when(confirm({ batchId: 'batch_x' }))
    .thenRejected('BatchNotFound');
  given(...sealed)
    .when(claim(0))
    .thenRejected('BatchIsNotSettled');
  const settled = events(seal(), confirm());
  given(...settled)
    .when(claim(0, { address: walletOf('operator_2').address }))
    .thenRejected('PayoutDiffersFromChain');
  given(...settled)
    .when(claim(0, { amountAtto: 976n }))
    .thenRejected('PayoutDiffersFromChain');
  given(...settled)
    .when(claim(7))
    .thenRejected('PayoutNotFound');
});

test('a difference stops settlement until somebody says why it may go on', () => {
  const differences = [{ reference: 'deposit:1', ledgerAtto: 5n, chainAtto: 0n }];
  const alert = { reason: 'r', blockNumber: 7, ledgerAtto: 5n, escrowAtto: 0n, differences };
  const halt: SettlementCommand = { type: 'HaltSettlement', data: alert };
  const resume = (reason: string): SettlementCommand => ({ type: 'ResumeSettlement', data: { reason } });
  given(...events(halt))
    .when(seal())
    .thenRejected('SettlementIsHalted');
  given(...events(halt))
    .when(halt)
    .thenNothing();
  given(...events(halt))
    .when(resume(' '))
    .thenRejected('ReasonIsMissing');
  given(...events(halt))
    .when(resume('repaid'))
    .then({
      type: 'SettlementResumed',
      data: { reason: 'repaid', differences },
    });
  expect(events(halt, resume('repaid'), seal()).at(-1)).toMatchObject({ type: 'BatchSealed' });
});

const difference = (reference: string, ledgerAtto: bigint) => ({ reference, ledgerAtto, chainAtto: 0n });
const haltFor = (...differences: readonly ReturnType<typeof difference>[]) => {
  const about = { reason: 'r', blockNumber: 7, ledgerAtto: 5n, escrowAtto: 0n };
  return { type: 'HaltSettlement', data: { ...about, differences } } as const;
};
const resume: SettlementCommand = { type: 'ResumeSettlement', data: { reason: 'a gift' } };

test('what was explained halts nothing again, as long as it differs by as much', () => {
  const explained = events(haltFor(difference('a', 5n)), resume);
  given(...explained)
    .when(haltFor(difference('a', 5n)))
    .thenNothing();
  // Both sides have moved, and are as far apart as before.
  given(...explained)
    .when(haltFor({ reference: 'a', ledgerAtto: 9n, chainAtto: 4n }))
    .thenNothing();
  const grown = haltFor(difference('a', 6n));
  given(...explained)
    .when(grown)
    .then({ type: 'SettlementHalted', data: grown.data });
  given(...explained)
    .when(resume)
    .thenNothing();
});

test('an alert holds what is new and what was not explained yet, and nothing else', () => {
  const explained = events(haltFor(difference('a', 5n)), resume);
  given(...explained)
    .when(haltFor(difference('a', 5n), difference('b', 1n)))
    .then({ type: 'SettlementHalted', data: haltFor(difference('b', 1n)).data });
  const both = haltFor(difference('b', 1n), difference('c', 2n));
  given(...explained, ...decided(explained, haltFor(difference('b', 1n))))
    .when(both)
    .then({ type: 'SettlementHalted', data: both.data });
  given(...events(haltFor(difference('b', 1n))))
    .when(haltFor(difference('b', 2n)))
    .then({ type: 'SettlementHalted', data: haltFor(difference('b', 2n)).data });
});

test('of what was explained the oldest is forgotten, and halts settlement again', () => {
  const many = Array.from({ length: MAX_EXPLAINED + 1 }, (_, index) => difference(`d${index}`, 1n));
  const explained = events(haltFor(...many), resume);
  given(...explained)
    .when(haltFor(...many))
    .then({ type: 'SettlementHalted', data: haltFor(many[0]!).data });
});
