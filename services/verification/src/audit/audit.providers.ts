import { createHmac, hash } from 'node:crypto';
import { Bus } from '@astro/jetstream/bus';
import { OrdersOfValidators } from '@astro/jetstream/desired-state';
import { EventStore } from '@astro/jetstream/event-store';
import { SharedWork } from '@astro/jetstream/shared-work';
import { Audit, audits } from '@astro/read-models/verification/audits';
import { ValidatorNode, validatorNodes } from '@astro/read-models/verification/validator-nodes';
import { ValidatorRecord, validatorRecords } from '@astro/read-models/verification/validator-records';
import {
  ChainProgress,
  FinalBlock,
  PendingBlock,
  ValidatorStake,
  validatorStakes,
} from '@astro/read-models/verification/validator-stakes';
import { logFor } from '@astro/runtime/logging';
import { aggregateToken } from '@astro/runtime/platform.module';
import { MikroORM } from '@mikro-orm/postgresql';
import type { Provider } from '@nestjs/common';
import type { VerificationConfig } from '../verification.config.js';
import { audit } from './audit.js';
import { auditDeskUnit, type AuditStore } from './audit-desk.unit.js';
import { OrdersPublisher } from './orders.publisher.js';

const digestOf = (text: string): string => hash('sha256', text);

export const auditOf = (config: VerificationConfig) =>
  audit({
    validators: config.AUDIT_VALIDATORS,
    commitWithinMs: config.AUDIT_COMMIT_WITHIN_MS,
    revealWithinMs: config.AUDIT_REVEAL_WITHIN_MS,
    digestOf,
  });

export const auditProjections = [audits, validatorNodes, validatorRecords, validatorStakes];
export const auditEntities = [
  ...[Audit, ValidatorNode, ValidatorRecord],
  ...[PendingBlock, FinalBlock, ValidatorStake, ChainProgress],
];

/** Of the unit that advances audits, which the work of the service is given. */
const AUDIT_DESK = Symbol('audit desk');

/** @param processSecret takes the place of a secret that is not configured: a restart loses the audits under way */
export const auditProviders = (config: VerificationConfig, processSecret: string): Provider[] => [
  {
    provide: OrdersPublisher,
    inject: [Bus, MikroORM],
    useFactory: (bus: Bus, orm: MikroORM) =>
      new OrdersPublisher(new OrdersOfValidators(bus), () => orm.em.fork()),
  },
  {
    provide: AUDIT_DESK,
    inject: [SharedWork, EventStore, MikroORM, OrdersPublisher, aggregateToken('audit')],
    useFactory(
      work: SharedWork,
      events: EventStore,
      orm: MikroORM,
      orders: OrdersPublisher,
      stored: AuditStore,
    ) {
      const key = config.AUDIT_SECRET ?? processSecret;
      const unit = auditDeskUnit({
        ...{ audits: stored, events, orders, digestOf, em: () => orm.em.fork() },
        secretOf: (taskId, round) => createHmac('sha256', key).update(`${taskId}/${round}`).digest('hex'),
        drawAfterBlocks: config.AUDIT_DRAW_AFTER_BLOCKS,
        drawWithinMs: config.AUDIT_DRAW_WITHIN_MS,
        pollMs: config.AUDIT_POLL_MS,
        log: logFor('audits'),
      });
      work.add(unit);
      return unit;
    },
  },
];
