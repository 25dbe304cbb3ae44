// A part of the fleet of the benchmark `agents`: as many nodes as one process may have connections.
import { Fleet } from './fleet.js';
import type { FleetAnswer, FleetWord } from './fleets.js';

if (!process.send) throw new Error('this is started by the benchmark "agents"');

let fleet: Fleet | undefined;

process.on('message', (word: FleetWord) => void obey(word));
// A benchmark that failed leaves nobody to be told when to end.
process.once('disconnect', () => process.exit());
tell({ kind: 'done' });

async function obey(word: FleetWord): Promise<void> {
  try {
    if (word.kind === 'join') {
      fleet = new Fleet(word.nodes, word.enrollings);
      await fleet.join(count => tell({ kind: 'joined', count }));
    } else if (word.kind === 'churn') await fleet?.churn(word.churn, word.seconds);
    else await fleet?.close();
    tell({ kind: 'done', nodes: statesOf(fleet) });
  } catch (error) {
    tell({ kind: 'failed', reason: String(error) });
  }
}

function statesOf(of: Fleet | undefined) {
  const present = new Set(of?.present);
  return of?.nodes.map(node => ({
    nodeId: node.nodeId,
    isPresent: present.has(node),
    hasMoved: of.movers.has(node),
  }));
}

function tell(answer: FleetAnswer): void {
  process.send!(answer);
}
