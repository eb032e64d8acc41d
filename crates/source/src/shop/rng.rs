//! Random numbers with integer arithmetic only, so that a seed gives the same shop on every machine
//! and in every version.

/// xoshiro256++ (Blackman, Vigna), seeded by splitmix64.
#[derive(Debug, Clone)]
pub(super) struct Rng([u64; 4]);

/// splitmix64's finaliser: a bijection, so distinct numbers stay distinct.
pub(super) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A separate seed for a part of the shop, so that its draws do not depend on other parts.
pub(super) fn seed_of(seed: u64, part: &str) -> u64 {
    mix(seed ^ kassa_model::key::hash("shop", &[part]))
}

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        let mut at = seed;
        Self(std::array::from_fn(|_| {
            at = at.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(at)
        }))
    }

    pub(super) fn next(&mut self) -> u64 {
        let state = &mut self.0;
        let result = state[0].wrapping_add(state[3]).rotate_left(23).wrapping_add(state[0]);
        let shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3].rotate_left(45);
        result
    }

    /// 0..n; 0 if n is 0.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    pub(super) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// from..=to.
    pub(super) fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from + 1).max(0) as u64) as i64
    }

    pub(super) fn chance(&mut self, ppm: u32) -> bool {
        self.below(1_000_000) < u64::from(ppm)
    }

    pub(super) fn permille(&mut self, permille: u64) -> bool {
        self.below(1_000) < permille
    }

    pub(super) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// One of the choices, by weight.
    pub(super) fn choose<T: Copy>(&mut self, choices: &[(u64, T)]) -> T {
        let mut left = self.below(choices.iter().map(|(weight, _)| weight).sum());
        for (weight, choice) in choices {
            if left < *weight {
                return *choice;
            }
            left -= weight;
        }
        choices[choices.len() - 1].1
    }

    /// Exponentially distributed with `mean`, by von Neumann's method, which needs comparisons and
    /// no logarithm.
    pub(super) fn exponential(&mut self, mean: i64) -> i64 {
        let mut whole = 0_u64;
        loop {
            let first = self.next();
            let (mut last, mut run) = (first, 1_u32);
            loop {
                let next = self.next();
                if next > last {
                    break;
                }
                last = next;
                run += 1;
            }
            if run % 2 == 1 || whole == 30 {
                let fixed = i128::from((whole << 32) | (first >> 32));
                return ((fixed * i128::from(mean)) >> 32) as i64;
            }
            whole += 1;
        }
    }
}

/// Draws indexes by weight.
#[derive(Debug, Clone)]
pub(super) struct Weighted(Vec<u64>);

impl Weighted {
    pub(super) fn new(weights: impl IntoIterator<Item = u64>) -> Self {
        let sums = weights.into_iter().scan(0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self(sums.collect())
    }

    pub(super) fn draw(&self, rng: &mut Rng) -> usize {
        let at = rng.below(self.0.last().copied().unwrap_or(0));
        self.0.partition_point(|sum| *sum <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_of_a_seed_never_changes() {
        // The values of the published algorithms.
        let mut rng = Rng::new(7);
        let drawn: Vec<u64> = (0..4).map(|_| rng.next() >> 48).collect();
        assert_eq!(drawn, [3_628, 11_279, 47_027, 27_997]);
    }

    #[test]
    fn exponential_keeps_its_mean_and_its_shape() {
        let mut rng = Rng::new(1);
        let drawn: Vec<i64> = (0..100_000).map(|_| rng.exponential(1_000)).collect();
        let mean = drawn.iter().sum::<i64>() / 100_000;
        assert!((980..1_020).contains(&mean), "{mean}");
        // A share of e^-1 is beyond the mean.
        let beyond = drawn.iter().filter(|gap| **gap > 1_000).count();
        assert!((36_000..37_600).contains(&beyond), "{beyond}");
    }

    #[test]
    fn weights_are_kept() {
        let (mut rng, weighted) = (Rng::new(1), Weighted::new([1, 0, 3]));
        let mut counts = [0_u32; 3];
        (0..40_000).for_each(|_| counts[weighted.draw(&mut rng)] += 1);
        assert!((9_600..10_400).contains(&counts[0]) && counts[1] == 0, "{counts:?}");
    }
}
