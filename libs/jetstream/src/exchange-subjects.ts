/**
 * Exchanges are requests, which nobody stores: core NATS, and no stream. A gateway speaks on `endpoint`, the agent of
 * the node on `answer`; both name the node first, which is all that an agent's permissions need.
 */
const subjectOf =
  (root: 'endpoint' | 'answer') =>
  (nodeId: string, callerId: string, exchangeId: string): string =>
    `${root}.${nodeId}.${callerId}.${exchangeId}`;

export const endpointSubject = subjectOf('endpoint');
export const answerSubject = subjectOf('answer');

export const EXCHANGE_FRAME_TYPE = 'astro.agent.v1.ExchangeFrame';
