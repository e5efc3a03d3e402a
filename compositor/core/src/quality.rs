//! The steps of the degradation ladder: what a composition gives up while its worker is too slow.

/// The last step.
pub const STEP_MAX: u8 = 5;

/// How a composition is made on one step. Numbers, times and sizes of what comes out are the same on each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quality {
    /// Whether a shrunk picture is the mean of what it covers; else of the four nearest samples.
    pub averages: bool,
    /// Whether the encoder searches as well as it does on an idle machine; else it is cheaper from its next IDR picture on.
    pub searches: bool,
    /// Layers are chosen as if slots were lower by this.
    pub height_divisor: u16,
    /// Frame k is drawn when it is a multiple of this; the others repeat the picture before them.
    pub draw_every: u64,
    /// CPU time of the worker against that of full quality; an estimate between the rows of `benches/RESULTS.md`.
    pub cost_percent: u32,
}

impl Quality {
    /// What `step` means; steps beyond the last one mean the last one.
    pub const fn at(step: u8) -> Self {
        let (averages, searches, height_divisor, draw_every, cost_percent) = match step {
            0 => (true, true, 1, 1, 100),
            1 => (false, true, 1, 1, 95),
            2 => (false, false, 1, 1, 90),
            3 => (false, false, 2, 1, 85),
            4 => (false, false, 2, 2, 75),
            STEP_MAX.. => (false, false, 2, 4, 70),
        };
        Self {
            averages,
            searches,
            height_divisor,
            draw_every,
            cost_percent,
        }
    }
}

impl Default for Quality {
    fn default() -> Self {
        Self::at(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_costs_less_than_the_one_before_and_gives_nothing_back() {
        for step in 1..=STEP_MAX {
            let (above, here) = (Quality::at(step - 1), Quality::at(step));
            assert!(here.cost_percent < above.cost_percent);
            assert!(here.averages <= above.averages && here.searches <= above.searches);
            assert!(here.height_divisor >= above.height_divisor);
            assert_eq!(here.draw_every % above.draw_every, 0);
        }
        assert_eq!(Quality::at(u8::MAX), Quality::at(STEP_MAX));
    }
}
