//! The largest values of many.

use pulp::{Simd, WithSimd};

/// One value in so many goes into the pilot.
const PILOT_STRIDE: usize = 64;
/// Shortest tail of the pilot that tells where the tail of the whole begins.
const MIN_PILOT_TAIL: usize = 16;
/// Values that are passed over at once.
const LANES: usize = 16;

/// The `count` largest values in ascending order, by the total order of doubles.
///
/// A pilot guesses a floor that a few more than `count` values reach; one pass collects them, and only they are selected
/// from and sorted. A guess too high is found out by its count, and then all are selected from.
pub(super) fn largest(mut values: Vec<f64>, count: usize) -> Vec<f64> {
    if let Some(candidates) = pilot_floor(&values, count).map(|floor| at_least(&values, floor))
        && candidates.len() >= count
    {
        values = candidates;
    }
    let below = values.len().saturating_sub(count);
    if below > 0 {
        values.select_nth_unstable_by(below, f64::total_cmp);
        values.drain(..below);
    }
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// A value that in a random sample more than `count` reach, by four standard deviations; none where a pilot would not pay.
fn pilot_floor(values: &[f64], count: usize) -> Option<f64> {
    let expected = count / PILOT_STRIDE;
    if expected < MIN_PILOT_TAIL || count > values.len() / 4 {
        return None;
    }
    let mut pilot: Vec<f64> = values.iter().step_by(PILOT_STRIDE).copied().collect();
    let reach = expected + 4 * expected.isqrt();
    let place = pilot.len().checked_sub(reach)?;
    pilot.select_nth_unstable_by(place, f64::total_cmp);
    pilot.get(place).copied()
}

fn at_least(values: &[f64], floor: f64) -> Vec<f64> {
    pulp::Arch::new().dispatch(AtLeast { values, floor })
}

struct AtLeast<'a> {
    values: &'a [f64],
    floor: f64,
}

impl WithSimd for AtLeast<'_> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<f64> {
        let Self { values, floor } = self;
        let mut found = Vec::new();
        for part in values.chunks(LANES) {
            // Few parts hold one: the comparison is done for all lanes, the rest for those few.
            if part.iter().map(|value| u64::from(*value >= floor)).sum::<u64>() > 0 {
                found.extend(part.iter().filter(|value| **value >= floor));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{BlockStream, normals_from_words};

    fn by_sorting(mut values: Vec<f64>, count: usize) -> Vec<u64> {
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() - count..].iter().map(|v| v.to_bits()).collect()
    }

    #[test]
    fn are_those_of_a_full_sort_to_the_bit() {
        let n = 50_003;
        let mut words = vec![0; n];
        BlockStream::new(3, 0).fill(&mut words);
        let mut random = vec![0.0; n];
        normals_from_words(&words, &mut random);
        let rising: Vec<f64> = (0..n).map(|i| i as f64).collect();
        // The pilot sees nothing but the worst, or all but the worst: its guess is too high or too low.
        let pilot_only =
            |high, low| (0..n).map(|i| if i % PILOT_STRIDE == 0 { high } else { low }).collect::<Vec<f64>>();
        let zeros: Vec<f64> = (0..n).map(|i| if i % 3 == 0 { 0.0 } else { -0.0 }).collect();
        for values in [random, rising, pilot_only(2.0, 1.0), pilot_only(1.0, 2.0), zeros] {
            for count in [1, 2, 1_023, 1_024, 1_500, 12_500, 12_501, n - 1, n] {
                let got: Vec<u64> = largest(values.clone(), count).iter().map(|v| v.to_bits()).collect();
                assert!(got == by_sorting(values.clone(), count), "{count}");
            }
        }
    }
}
