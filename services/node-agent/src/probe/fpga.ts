import { nothing, type Accelerator, type Finding } from './accelerator.js';
import { unanswered, type RunTool } from './tool.js';

/** XRT's tool, by its name since 2024 and the one before. */
const TOOLS = ['xrt-smi', 'xbutil'] as const;
const MIB_PER_GIB = 1024;

/** Memory on the board, HBM and DDR together: AMD's product briefs of the Alveo cards. */
const BOARD_MEMORY_GIB: Readonly<Record<string, number>> = { u50: 8, u55c: 16, u200: 64, u250: 64, u280: 40 };

/** The Alveo cards that AMD's runtime lists, such as `[0000:b3:00.1] : xilinx_u200_xdma_201830_2`. */
export async function probeFpga(run: RunTool): Promise<Finding> {
  for (const tool of TOOLS) {
    const answer = await run(tool, ['examine']);
    if (answer.kind === 'answered') return boardsIn(answer.text);
    if (answer.kind === 'failed') return unanswered(tool, answer);
  }
  return nothing;
}

function boardsIn(text: string): Finding {
  const accelerators: Accelerator[] = [];
  const problems: string[] = [];
  const entries = text.matchAll(
    /\[([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d)\]\s*[:|]\s*(xilinx_([a-z0-9]+)_\w+)/g,
  );
  for (const [, id = '', shell = '', board = ''] of entries) {
    const memoryGib = BOARD_MEMORY_GIB[board];
    if (memoryGib === undefined) {
      problems.push(`${id} (${shell}) is a board of unknown memory: it is not offered`);
      continue;
    }
    accelerators.push({
      ...({ kind: 'fpga', id, vendor: 'AMD', model: `Alveo ${board.toUpperCase()}` } as const),
      ...{ memoryMib: memoryGib * MIB_PER_GIB, interconnect: '', slices: [], fullWatts: 0 },
    });
  }
  return { accelerators, problems };
}
