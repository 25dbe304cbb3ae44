import { unknownNode, type Report, type Standing } from './policy.js';

/** A report of a node with a voice of its own, unless another is given. */
export const report = <Claim>(
  node: string,
  claim: Claim,
  standing: Partial<Standing> = {},
  voice = `operator_${node}`,
): Report<Claim> => ({ nodeId: `node_${node}`, voice, claim, standing: { ...unknownNode, ...standing } });

/** All of them were asked for, and two more may be. */
export const allIn = (reports: readonly unknown[], more = 2) => ({
  asked: reports.length,
  maxReplicas: reports.length + more,
});
