import type { AggregateStore } from '@astro/jetstream/aggregate-store';
import type { SettlementCommand, SettlementEvent } from '@astro/messages/billing';
import { custodyTotals } from '@astro/read-models/billing/custody';
import { aggregateToken } from '@astro/runtime/platform.module';
import { MikroORM } from '@mikro-orm/postgresql';
import { Controller, Get, Inject } from '@nestjs/common';
import type { Settlement } from './settlement/settlement.js';

/** Token of the id of the chain that is settled on. */
export const SETTLED_CHAIN = 'chain that is settled on';

type SettlementReport = {
  /** `halted`: the ledger and Escrow differ, and nobody has said yet why settlement may go on. */
  readonly state: 'running' | 'halted';
  readonly differences: readonly {
    readonly reference: string;
    readonly ledgerAtto: string;
    readonly chainAtto: string;
  }[];
  /** What Escrow holds by the ledger, and by the chain's final facts up to a block. */
  readonly ledgerAtto: string;
  readonly chainAtto: string;
  readonly asOfBlock: number;
};

@Controller('health')
export class SettlementHealthController {
  constructor(
    @Inject(aggregateToken('settlement'))
    private readonly settlements: AggregateStore<Settlement, SettlementCommand, SettlementEvent>,
    private readonly orm: MikroORM,
    @Inject(SETTLED_CHAIN) private readonly chainId: string,
  ) {}

  /** Whether the ledger agrees with Escrow, so that charges are settled. A service that does not settle is ready. */
  @Get('settlement')
  async settlement(): Promise<SettlementReport> {
    const { state } = await this.settlements.load(this.chainId);
    const { ledgerAtto, chainAtto, blockNumber } = await custodyTotals(this.orm.em.fork());
    const differences = state.halted ?? [];
    return {
      state: state.halted === undefined ? 'running' : 'halted',
      differences: differences.map(({ reference, ...atto }) => ({
        ...{ reference, ledgerAtto: String(atto.ledgerAtto), chainAtto: String(atto.chainAtto) },
      })),
      ...{ ledgerAtto: String(ledgerAtto), chainAtto: String(chainAtto), asOfBlock: blockNumber },
    };
  }
}
