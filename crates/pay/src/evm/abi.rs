//! The contract ABI: words, and what is longer than a word. See the Solidity documentation, "Contract ABI
//! Specification".

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

/// The arguments of a call, or the fields of a struct, in order.
#[derive(Debug, Default)]
pub(crate) struct Tuple {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Word(B256),
    /// Something of changing length, as it stands behind the words.
    Tail(Vec<u8>),
}

impl Tuple {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn word(mut self, word: B256) -> Self {
        self.parts.push(Part::Word(word));
        self
    }

    pub(crate) fn number(self, number: U256) -> Self {
        self.word(number.into())
    }

    pub(crate) fn address(self, address: Address) -> Self {
        self.word(address.into_word())
    }

    /// Adds a struct of words alone, which stands in place.
    pub(crate) fn inline(mut self, fields: Self) -> Self {
        self.parts.extend(fields.parts);
        self
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        let mut tail = U256::from(bytes.len()).to_be_bytes_vec();
        tail.extend_from_slice(bytes);
        tail.resize(tail.len().next_multiple_of(32), 0);
        self.parts.push(Part::Tail(tail));
        self
    }

    /// Adds a list of things of changing length: of structs with such a field.
    pub(crate) fn list(self, items: impl IntoIterator<Item = Self>) -> Self {
        let items = items.into_iter().map(|item| item.encode());
        self.tails(items.collect())
    }

    /// Adds a list of bytes.
    pub(crate) fn list_of_bytes(self, items: &[Bytes]) -> Self {
        let items = items.iter().map(|item| match Self::new().bytes(item).parts.pop() {
            Some(Part::Tail(tail)) => tail,
            _ => Vec::new(),
        });
        self.tails(items.collect())
    }

    fn tails(mut self, items: Vec<Vec<u8>>) -> Self {
        let mut tail = U256::from(items.len()).to_be_bytes_vec();
        let items = Self { parts: items.into_iter().map(Part::Tail).collect() };
        tail.extend(items.encode());
        self.parts.push(Part::Tail(tail));
        self
    }

    /// Writes the words, and behind them what they point to.
    pub(crate) fn encode(self) -> Vec<u8> {
        let (mut words, mut tails) = (Vec::new(), Vec::new());
        let behind = self.parts.len() * 32;
        for part in self.parts {
            match part {
                Part::Word(word) => words.extend_from_slice(word.as_slice()),
                Part::Tail(tail) => {
                    words.extend_from_slice(&U256::from(behind + tails.len()).to_be_bytes::<32>());
                    tails.extend(tail);
                }
            }
        }
        words.extend(tails);
        words
    }

    /// Writes a call of `function`, given as its name and types.
    pub(crate) fn call(self, function: &str) -> Bytes {
        [&selector(function)[..], &self.encode()].concat().into()
    }
}

/// Returns the first bytes of a call, or of an error, given as its name and types.
pub(crate) fn selector(signature: &str) -> [u8; 4] {
    let hash = keccak256(signature);
    [hash[0], hash[1], hash[2], hash[3]]
}

/// Reads an answer of one number.
pub fn read_number(output: &[u8]) -> Option<U256> {
    (output.len() == 32).then(|| U256::from_be_slice(output))
}

/// Reads the word at `index` of an answer.
pub(crate) fn read_word(output: &[u8], index: usize) -> Option<U256> {
    let start = index.checked_mul(32)?;
    output.get(start..start.checked_add(32)?).map(U256::from_be_slice)
}

/// Reads bytes that begin with their length.
pub(crate) fn read_bytes(input: &[u8]) -> Option<&[u8]> {
    let length = usize::try_from(read_word(input, 0)?).ok()?;
    input.get(32..length.checked_add(32)?)
}

/// Reads an answer of one text or one piece of bytes.
pub(crate) fn read_one_bytes(output: &[u8]) -> Option<&[u8]> {
    read_bytes(output.get(usize::try_from(read_word(output, 0)?).ok()?..)?)
}

/// Reads an answer of one list of bytes, if it has `N` of them.
pub(crate) fn read_list_of_bytes<const N: usize>(output: &[u8]) -> Option<[&[u8]; N]> {
    let list = output.get(usize::try_from(read_word(output, 0)?).ok()?..)?;
    if read_word(list, 0)? != U256::from(N) {
        return None;
    }
    let items = list.get(32..)?;
    let mut read = [&[][..]; N];
    for (index, item) in read.iter_mut().enumerate() {
        *item = read_bytes(items.get(usize::try_from(read_word(items, index)?).ok()?..)?)?;
    }
    Some(read)
}
