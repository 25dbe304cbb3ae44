import { z } from 'zod';
import { atto } from '../http/fields.js';

const NOTICE_MS_DEFAULT = 600_000;
const NOTICE_MS_MAX = 604_800_000;

const funding = z.strictObject({
  mode: z
    .enum(['whole', 'stepwise'])
    .default('whole')
    .meta({
      description:
        'whole: the most that the job can cost is reserved before it is queued. stepwise: what its next tasks ' +
        'can cost, and more as they start',
    }),
  onShortage: z
    .enum(['notice_then_stop', 'pause'])
    .default('notice_then_stop')
    .meta({
      description:
        'What becomes of the job when its money is not enough to go on. notice_then_stop: it waits for money ' +
        'until its notice is over, and fails then with insufficient_funds. pause: it waits until it is cancelled. ' +
        'What runs is finished either way',
    }),
  noticeMs: z
    .int()
    .min(0)
    .max(NOTICE_MS_MAX)
    .default(NOTICE_MS_DEFAULT)
    .meta({ description: 'Of a service at least so long before its budget is used up' }),
});

export const fundingRequest = funding
  .refine(({ mode, onShortage }) => mode === 'stepwise' || onShortage !== 'pause', {
    path: ['onShortage'],
    message: 'must be notice_then_stop for whole',
  })
  .meta({ id: 'FundingRequest', description: 'How the money of the job is set aside' });

/** A service has a budget that ends some day, so that it always gives notice. */
export const fundingOfService = {
  mode: 'whole',
  onShortage: 'notice_then_stop',
  noticeMs: NOTICE_MS_DEFAULT,
} as const;

export const fundingResource = funding
  .extend({
    shortage: z
      .object({
        missingAtto: atto.meta({ description: 'What would let it go on, beyond what was available' }),
        since: z.iso.datetime(),
        stopsAt: z.iso
          .datetime()
          .optional()
          .meta({
            description:
              'From then on the job fails with insufficient_funds, once nothing of it is under way. Absent: it ' +
              'waits until it is funded or cancelled',
          }),
      })
      .optional()
      .meta({ description: 'Present while nothing more of the job is placed for want of money' }),
  })
  .meta({ id: 'JobFunding' });
