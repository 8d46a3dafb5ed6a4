//! The vectors of `conformance/token`: made here from its keys and sentences by Biscuit alone, read by us.

use biscuit_auth::builder::Algorithm;
use biscuit_auth::datalog::SymbolTable;
use biscuit_auth::{BiscuitBuilder, BlockBuilder, KeyPair, PrivateKey};
use glassbox_core::key::PublicKey;
use glassbox_core::{Atomic, Digest, FunctionName, ReleaseId};
use glassbox_token::{BlockId, Caps, Issuer, Request, Token, Verifier};
use serde::Deserialize;

use super::text;

const VECTORS: [&str; 2] = [
    include_str!("../../../../conformance/token/delegated.json"),
    include_str!("../../../../conformance/token/held.json"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    issuer_seed: String,
    issuer: PublicKey,
    account: String,
    blocks: Vec<Block>,
    token: String,
    requests: Vec<Asked>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    next_seed: String,
    sentences: Vec<String>,
    id: BlockId,
    caps: Caps,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    release: ReleaseId,
    #[serde(default)]
    component: Option<Digest>,
    function: FunctionName,
    amount_max: Atomic,
    now_s: u64,
    audience: String,
    #[serde(default)]
    holder: Option<PublicKey>,
    /// The blocks that count the call.
    #[serde(default)]
    budgets: Option<Vec<usize>>,
    /// The block and the cap that say no.
    #[serde(default)]
    refused: Option<(usize, String)>,
}

fn vectors() -> impl Iterator<Item = Vector> {
    VECTORS.into_iter().map(|text| serde_json::from_str(text).expect("the vector is JSON"))
}

fn keys(seed: &str) -> KeyPair {
    KeyPair::from(&PrivateKey::from_bytes_hex(seed, Algorithm::Ed25519).expect("a seed"))
}

#[test]
fn a_vector_is_made_of_its_sentences() {
    vectors().for_each(is_made_of_its_sentences);
}

fn is_made_of_its_sentences(vector: Vector) {
    let code = |block: &Block| BlockBuilder::new().code(block.sentences.join(";\n")).expect("datalog");
    let [first, rest @ ..] = vector.blocks.as_slice() else { panic!("no blocks") };
    let mut biscuit = BiscuitBuilder::new()
        .merge(code(first))
        .build_with_key_pair(&keys(&vector.issuer_seed), SymbolTable::new(), &keys(&first.next_seed))
        .expect("built");
    for block in rest {
        biscuit = biscuit.append_with_keypair(&keys(&block.next_seed), code(block)).expect("appended");
    }
    let ids: Vec<_> = biscuit.revocation_identifiers().iter().map(hex::encode).collect();
    let stated: Vec<_> = vector.blocks.iter().map(|block| block.id.to_string()).collect();
    assert_eq!(vector.token, text(&biscuit.to_vec().expect("bytes")), "the token should be as on the right");
    assert_eq!(stated, ids, "the ids should be as on the right");
}

#[test]
fn a_vector_is_read_as_it_says() {
    vectors().for_each(is_read_as_it_says);
}

fn is_read_as_it_says(vector: Vector) {
    let token: Token = vector.token.parse().expect("a token");
    let verified = Verifier::from(vector.issuer).verify(&token).expect("verified");
    assert_eq!(verified.account(), vector.account);
    let blocks: Vec<_> = vector.blocks.iter().map(|block| (block.id, block.caps.clone())).collect();
    assert_eq!(verified.blocks(), blocks);
    for asked in &vector.requests {
        let request = Request {
            release: &asked.release,
            component: asked.component,
            function: &asked.function,
            amount_max: asked.amount_max,
            now_s: asked.now_s,
            audience: &asked.audience,
            holder: asked.holder,
        };
        let (budgets, refused) = match verified.authorize(&request) {
            Ok(budgets) => {
                let index =
                    |id| verified.blocks().iter().position(|(block, _)| *block == id).expect("a block");
                (Some(budgets.iter().map(|budget| index(budget.block)).collect()), None)
            }
            Err(refusal) => (None, Some((refusal.index, refusal.rule.cap().to_owned()))),
        };
        assert_eq!((&budgets, &refused), (&asked.budgets, &asked.refused), "{request:?}");
    }
}

#[test]
fn what_is_minted_says_the_sentences_of_a_vector() {
    vectors().for_each(is_minted_with_its_sentences);
}

fn is_minted_with_its_sentences(vector: Vector) {
    let caps: Vec<_> = vector.blocks.iter().map(|block| &block.caps).collect();
    let seed: [u8; 32] = [1; 32];
    let mut token = Issuer::from_seed(&seed).mint(&vector.account, caps[0]).expect("minted");
    if caps.iter().any(|caps| caps.handed_on.is_some()) {
        // Who hands a token on signs the id of the block before, and those of a new token are new.
        token = vector.token.parse().expect("a token");
    } else {
        for caps in &caps[1..] {
            token = token.attenuate(caps).expect("appended");
        }
    }
    for (index, block) in vector.blocks.iter().enumerate() {
        let source = super::biscuit(&token).print_block_source(index).expect("printed");
        let mut said: Vec<_> = source.split_terminator(";\n").collect();
        let mut stated = block.sentences.clone();
        said.sort_unstable();
        stated.sort_unstable();
        assert_eq!(said, stated);
    }
}
