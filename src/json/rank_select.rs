//! A row of bits that can be counted and looked up quickly: which bytes begin a value, and where the n-th one is.

/// Words of 64 bits whose ones are counted together; the counts cost 1/128 of the bits.
const BLOCK_WORDS: usize = 8;
/// Bits of a block.
pub const BLOCK: usize = BLOCK_WORDS * 64;

/// Bits that no longer change, with running counts: how many ones stand before a place (rank), and where the n-th one
/// is (select).
#[derive(Debug, Clone, Default)]
pub struct RankSelect {
    words: Vec<u64>,
    /// Ones before each block.
    counts: Vec<u32>,
    len: usize,
    ones: usize,
}

/// Bits being written.
#[derive(Debug, Default)]
pub struct RankSelectBuilder {
    words: Vec<u64>,
    len: usize,
}

impl RankSelectBuilder {
    /// That many zeros.
    pub fn zeros(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    /// Sets one bit. Nothing happens beyond the end.
    pub fn set(&mut self, at: usize) {
        if let Some(word) = self.words.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    /// Adds a bit at the end.
    pub fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        if let Some(word) = self.words.last_mut() {
            *word |= u64::from(bit) << (self.len % 64);
        }
        self.len += 1;
    }

    /// The finished bits. There may be at most `u32::MAX` ones.
    pub fn build(mut self) -> RankSelect {
        self.words.shrink_to_fit();
        let mut counts = Vec::with_capacity(self.words.len().div_ceil(BLOCK_WORDS));
        let mut ones: usize = 0;
        for block in self.words.chunks(BLOCK_WORDS) {
            counts.push(u32::try_from(ones).unwrap_or(u32::MAX));
            ones += block.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        }
        RankSelect { words: self.words, counts, len: self.len, ones }
    }
}

impl RankSelect {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn ones(&self) -> usize {
        self.ones
    }

    /// Memory used, in bytes.
    pub fn bytes(&self) -> usize {
        self.words.capacity() * 8 + self.counts.capacity() * 4
    }

    /// The bit at a place; zero beyond the end.
    pub fn get(&self, at: usize) -> bool {
        self.word(at / 64) >> (at % 64) & 1 == 1
    }

    /// The n-th 64 bits; zero beyond the end.
    pub fn word(&self, n: usize) -> u64 {
        self.words.get(n).copied().unwrap_or(0)
    }

    /// Ones before a place.
    pub fn rank(&self, at: usize) -> usize {
        if at >= self.len {
            return self.ones;
        }
        let word = at / 64;
        let block = word / BLOCK_WORDS;
        let before: usize = self.counts.get(block).map_or(0, |&count| count as usize);
        let whole: usize = (block * BLOCK_WORDS..word).map(|n| self.word(n).count_ones() as usize).sum();
        let part = self.word(word) & ((1 << (at % 64)) - 1);
        before + whole + part.count_ones() as usize
    }

    /// Where the n-th one stands, counted from 0; the length if there are fewer.
    pub fn select(&self, n: usize) -> usize {
        if n >= self.ones {
            return self.len;
        }
        let block = self.counts.partition_point(|&count| count as usize <= n).saturating_sub(1);
        let mut left = n - self.counts.get(block).map_or(0, |&count| count as usize);
        let mut at = block * BLOCK_WORDS;
        loop {
            let word = self.word(at);
            let ones = word.count_ones() as usize;
            if left < ones || at >= self.words.len() {
                return at * 64 + select_in_word(word, left);
            }
            left -= ones;
            at += 1;
        }
    }
}

fn select_in_word(mut word: u64, n: usize) -> usize {
    for _ in 0..n {
        word &= word.wrapping_sub(1);
    }
    word.trailing_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
        #[test]
        fn ranks_and_places_are_those_of_a_plain_count(bits in proptest::collection::vec(proptest::bool::weighted(0.3), 0..3000)) {
            let mut builder = RankSelectBuilder::default();
            let mut set = RankSelectBuilder::zeros(bits.len());
            for (at, &bit) in bits.iter().enumerate() {
                builder.push(bit);
                if bit {
                    set.set(at);
                }
            }
            let (pushed, set) = (builder.build(), set.build());
            let mut ones = 0;
            for (at, &bit) in bits.iter().enumerate() {
                proptest::prop_assert_eq!(pushed.get(at), bit);
                proptest::prop_assert_eq!(pushed.rank(at), ones);
                proptest::prop_assert_eq!(set.rank(at), ones);
                if bit {
                    proptest::prop_assert_eq!(pushed.select(ones), at);
                    ones += 1;
                }
            }
            proptest::prop_assert_eq!(pushed.rank(bits.len()), ones);
            proptest::prop_assert_eq!(pushed.select(ones), bits.len());
        }
    }
}
