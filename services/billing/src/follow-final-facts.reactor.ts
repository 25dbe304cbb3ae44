import { idIn } from '@astro/chain/payouts/ids';
import type { Directed, Reactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand, EscrowEvent, EscrowFact, SettlementCommand } from '@astro/messages/billing';
import { factIdOf } from '@astro/messages/fact-id';

type Followed = Directed<AccountCommand | SettlementCommand>;

/** The ledger follows what the chain will not take back: each fact once, by what the chain calls it. */
export const followFinalFacts: Reactor<EscrowEvent, AccountCommand | SettlementCommand> = {
  name: 'billing.follow-final-facts',
  reads: ['billing.escrow'],

  react({ event: { type, data }, position, aggregate: { id } }) {
    if (type !== 'EscrowBlockFinal' && type !== 'WalletRecognised') return [];
    return data.facts.flatMap(fact => whatFollows(fact, id, position));
  },
};

function whatFollows(fact: EscrowFact, chainId: string, causePosition: number): readonly Followed[] {
  const { kind, ownerId, transactionHash, amountAtto } = fact;
  const settlement = { type: 'billing.settlement', id: chainId } as const;
  switch (kind) {
    case 'deposited': {
      if (!isTenant(ownerId)) return [];
      const creditId = factIdOf(chainId, fact);
      const to = { type: 'billing.account', id: ownerId } as const;
      return [
        { to, type: 'CreditAccount', data: { tenantId: ownerId, creditId, amountAtto, causePosition } },
      ];
    }
    case 'withdrawal_announced': {
      if (!isTenant(ownerId)) return [];
      const { address } = fact;
      const data = { tenantId: ownerId, factId: factIdOf(chainId, fact), address, amountAtto, causePosition };
      return [{ to: { type: 'billing.account', id: ownerId }, type: 'LockForExit', data }];
    }
    case 'refunded':
    case 'withdrawn':
      return isTenant(ownerId) ? [paymentTo(fact, chainId, causePosition)] : [];
    case 'settled': {
      const batchId = idIn(fact.reference);
      if (batchId === undefined) return [];
      const { root, burnedAtto, toTreasuryAtto, toValidatorsAtto } = fact;
      const settled = { batchId, root, netAtto: amountAtto, burnedAtto, toTreasuryAtto, transactionHash };
      const data = { ...settled, ...(toValidatorsAtto !== undefined && { toValidatorsAtto }) };
      return [{ to: settlement, type: 'ConfirmBatch', data }];
    }
    case 'claimed': {
      const batchId = idIn(fact.reference);
      if (batchId === undefined) return [];
      const { index, address } = fact;
      return [
        {
          to: settlement,
          type: 'ConfirmClaim',
          data: { batchId, index, address, amountAtto, transactionHash },
        },
      ];
    }
    default:
      return [];
  }
}

/** A refund says which withdrawal it pays, unless somebody made it by hand. */
function paymentTo(fact: EscrowFact, chainId: string, causePosition: number): Followed {
  const { kind, ownerId: tenantId, address, amountAtto, reference, transactionHash } = fact;
  const withdrawalId = kind === 'refunded' ? idIn(reference) : undefined;
  const paid = { tenantId, factId: factIdOf(chainId, fact), address, amountAtto, transactionHash };
  const endsExit = kind === 'withdrawn';
  const data = { ...paid, endsExit, causePosition, ...(withdrawalId !== undefined && { withdrawalId }) };
  return { to: { type: 'billing.account', id: tenantId }, type: 'FollowPayment', data };
}

/** An address of an operator can be paid in for as well; the money stays where the chain has it. */
const isTenant = (ownerId: string): boolean => ownerId.startsWith('tenant_');
