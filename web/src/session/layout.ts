/** The layouts that the page offers, as the API knows them. Pure. */

import type { Layout } from './types';

/** Token attribute of participants that are large. */
export const FEATURED_ATTRIBUTE = 'featured';
/** Token attribute of the participant that lies over the others. */
export const OVERLAY_ATTRIBUTE = 'overlay';

const GAP = 8;
const OVERLAY_OFFSET = 24;

export type LayoutChoice = 'grid' | 'featured' | 'pip';

/** The configuration that a choice stands for. */
export function layoutFor(choice: LayoutChoice): Layout {
  switch (choice) {
    case 'grid':
      return { grid: { gridGap: GAP } };
    case 'featured':
      return { grid: { gridGap: GAP, featuredParticipantAttribute: FEATURED_ATTRIBUTE } };
    case 'pip':
      return {
        pip: {
          gridGap: GAP,
          featuredParticipantAttribute: FEATURED_ATTRIBUTE,
          pipParticipantAttribute: OVERLAY_ATTRIBUTE,
          pipPosition: 'BOTTOM_RIGHT',
          pipOffset: OVERLAY_OFFSET,
        },
      };
  }
}
