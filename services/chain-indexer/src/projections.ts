import { chainModels } from '@astro/read-models/chain/models';

export const chainProjections = chainModels.map(({ projection }) => projection);

export const chainEntities = chainModels.flatMap(({ entities }) => entities);
