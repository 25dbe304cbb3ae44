import { Command } from '@oclif/core/command';
import { CLIError } from '@oclif/core/errors';
import { exitCode } from './exit-codes.js';

/** What every command of `astro` has: `--json`, and an exit code that says which kind of failure it was. */
export abstract class AstroCommand extends Command {
  static override enableJsonFlag = true;

  /** Ends as failed after having told everything. */
  protected failsUnless(isSound: boolean): void {
    if (!isSound) process.exitCode = exitCode.failed;
  }

  protected override async catch(error: Error): Promise<unknown> {
    const exit = codeOf(error);
    if (exit === undefined) return super.catch(error);
    process.exitCode = exit;
    return super.catch(new CLIError(error.message, { exit }));
  }
}

/** By name: the classes are loaded only by the commands that can meet them. */
function codeOf(error: Error & { readonly status?: number | undefined }): number | undefined {
  switch (error.name) {
    case 'NotSetUp':
    case 'InvalidConfig':
      return exitCode.notSetUp;
    case 'ApiFailure':
      return error.status === undefined ? exitCode.unreachable : exitCode.refused;
    case 'GatewayRefusal':
      return exitCode.refused;
    case 'Undecipherable':
      return exitCode.failed;
  }
  return undefined;
}
