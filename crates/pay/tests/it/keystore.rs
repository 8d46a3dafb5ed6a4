//! Keys under a password: as the definition writes them, and as they must not be.

use glassbox_pay::keystore::Cost;
use glassbox_pay::{Keystore, KeystoreError, Wallet};
use serde_json::{Value, json};

const PASSWORD: &str = "testpassword";
const SECRET: &str = "0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";

/// The vector for PBKDF2 of the Web3 Secret Storage definition.
fn pbkdf2() -> Value {
    json!({
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": "6087dab2f9fdbbfaddc31a909735c1e6" },
            "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
            "kdf": "pbkdf2",
            "kdfparams": {
                "c": 262144,
                "dklen": 32,
                "prf": "hmac-sha256",
                "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
            },
            "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
        },
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
        "version": 3,
    })
}

/// Its vector for scrypt.
fn scrypt() -> Value {
    json!({
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": "83dbcc02d8ccb40e466191a123791e0e" },
            "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
            "kdf": "scrypt",
            "kdfparams": {
                "dklen": 32,
                "n": 262144,
                "p": 8,
                "r": 1,
                "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
            },
            "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
        },
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
        "version": 3,
    })
}

fn parse(json: &Value) -> Result<Keystore, KeystoreError> {
    Keystore::parse(&json.to_string())
}

#[test]
fn the_vectors_of_the_definition_open() {
    for vector in [pbkdf2(), scrypt()] {
        let wallet = parse(&vector).unwrap().open(PASSWORD).unwrap();
        assert_eq!(wallet.to_hex().as_str(), SECRET);
        assert_eq!(wallet.address().to_string(), "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b");
    }
}

/// As `eth-account` writes them: the address in mixed case.
#[test]
fn a_file_of_python_opens() {
    let file = json!({
        "address": "008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b",
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": "2f054109510f047fde4239a34aabebf5" },
            "ciphertext": "477194ac9a07669184bf4a35cf4e7b6a87f2169bfa0cc95dd9e39bb0d81b87eb",
            "kdf": "pbkdf2",
            "kdfparams": {
                "c": 1000,
                "dklen": 32,
                "prf": "hmac-sha256",
                "salt": "f762e1d862a9324beab8448172b18df8",
            },
            "mac": "0af22fe271f57967fe1a5f50d5c43a9905dcb7e46ac6c10d45f77b469d2de042",
        },
        "id": "40288ae2-27c2-4fa3-ac77-40800d6d0872",
        "version": 3,
    });
    assert_eq!(parse(&file).unwrap().open("pw").unwrap().to_hex().as_str(), SECRET);
}

#[test]
fn what_is_sealed_is_opened_again_by_its_password_alone() {
    let wallet = Wallet::from_hex(SECRET).unwrap();
    for password in ["", "correct horse", "pässwörd 🔑"] {
        let sealed = Keystore::seal(&wallet, password, Cost::Light).unwrap();
        let text = sealed.to_json();
        assert!(!text.contains(&SECRET[2..]));
        let read = Keystore::parse(&text).unwrap();
        assert_eq!((&read, read.address()), (&sealed, Some(wallet.address())));
        assert_eq!(read.open(password).unwrap().to_hex(), wallet.to_hex());
        assert_eq!(read.open("wrong").unwrap_err(), KeystoreError::Password);
    }
    let seal = || Keystore::seal(&wallet, PASSWORD, Cost::Light).unwrap().to_json();
    assert_ne!(seal(), seal(), "salt, iv and id are drawn anew");
}

/// The same as a file of geth: an address without `0x`, an id of version 4, and the standard cost.
#[test]
fn a_file_is_written_as_geth_writes_it() {
    let wallet = Wallet::from_hex(SECRET).unwrap();
    let json: Value =
        serde_json::from_str(&Keystore::seal(&wallet, PASSWORD, Cost::Standard).unwrap().to_json()).unwrap();
    assert_eq!(json["address"], "008aeeda4d805471df9b2a5b0f38a0c3bcba786b");
    assert_eq!(json["version"], 3);
    let params = &json["crypto"]["kdfparams"];
    assert_eq!((&params["n"], &params["r"], &params["p"]), (&json!(262_144), &json!(8), &json!(1)));
    let id = json["id"].as_str().unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "4"));
    assert_eq!(parse(&json).unwrap().open(PASSWORD).unwrap().address(), wallet.address());
}

#[test]
fn a_file_cut_short_or_changed_is_refused() {
    let wallet = Wallet::from_hex(SECRET).unwrap();
    let sealed = Keystore::seal(&wallet, PASSWORD, Cost::Light).unwrap();
    let text = sealed.to_json();
    for length in 0..text.len() {
        assert!(matches!(Keystore::parse(&text[..length]), Err(KeystoreError::Malformed(_))), "{length}");
    }
    let json: Value = serde_json::from_str(&text).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut json = json.clone();
        *json.pointer_mut(pointer).unwrap() = value;
        parse(&json)
    };
    for (pointer, value) in [
        ("/crypto/cipherparams/iv", json!("00")),
        ("/crypto/ciphertext", json!("00")),
        ("/crypto/ciphertext", json!("zz")),
        ("/crypto/mac", json!("")),
        ("/crypto/kdf", json!("argon2")),
        ("/crypto/kdfparams/dklen", json!(64)),
        ("/crypto/kdfparams/n", json!(-1)),
        ("/crypto/kdfparams", json!({})),
        ("/crypto", json!([])),
        ("/version", json!("3")),
    ] {
        let refused = with(pointer, value);
        assert!(matches!(refused, Err(KeystoreError::Malformed(_))), "{pointer}: {refused:?}");
    }
    for (pointer, value) in [("/version", json!(1)), ("/crypto/cipher", json!("aes-128-cbc"))] {
        assert!(matches!(with(pointer, value), Err(KeystoreError::Unsupported { .. })), "{pointer}");
    }
    let other = json!("00".repeat(32));
    assert_eq!(
        with("/crypto/ciphertext", other.clone()).unwrap().open(PASSWORD).unwrap_err(),
        KeystoreError::Password
    );
    assert_eq!(
        with("/crypto/kdfparams/salt", other).unwrap().open(PASSWORD).unwrap_err(),
        KeystoreError::Password
    );
    for address in ["00".repeat(20), "nonsense".to_owned()] {
        let changed = with("/address", json!(address)).unwrap();
        assert_eq!(changed.open(PASSWORD).unwrap_err(), KeystoreError::Address);
    }
}

#[test]
fn a_file_that_asks_for_all_memory_or_all_time_is_refused_before_it_gets_any() {
    let scrypt = |n: u64, r: u64, p: u64| {
        let mut json = scrypt();
        json["crypto"]["kdfparams"] = json!({ "dklen": 32, "n": n, "r": r, "p": p, "salt": "00" });
        parse(&json)
    };
    assert!(scrypt(1 << 18, 8, 1).is_ok() && scrypt(1 << 19, 8, 1).is_ok());
    for (n, r, p) in [
        (1 << 21, 8, 1),
        (1 << 62, 8, 1),
        (u64::MAX, 1, 1),
        (1 << 18, u64::from(u32::MAX), 1),
        (2, 1, 1 << 25),
        (1 << 18, 8, 9),
        (1 << 10, 1, 1 << 20),
    ] {
        let refused = scrypt(n, r, p);
        assert!(matches!(refused, Err(KeystoreError::TooDear(_))), "{n} {r} {p}: {refused:?}");
    }
    for (n, r, p) in
        [(0, 8, 1), (1, 8, 1), (3, 8, 1), (1 << 14, 0, 1), (1 << 14, 8, 0), (1 << 14, 1 << 40, 1)]
    {
        let refused = scrypt(n, r, p);
        assert!(matches!(refused, Err(KeystoreError::Malformed(_))), "{n} {r} {p}: {refused:?}");
    }
    let pbkdf2 = |c: u64, prf: &str| {
        let mut json = pbkdf2();
        json["crypto"]["kdfparams"] = json!({ "c": c, "dklen": 32, "prf": prf, "salt": "00" });
        parse(&json)
    };
    assert!(matches!(pbkdf2(u64::from(u32::MAX), "hmac-sha256"), Err(KeystoreError::TooDear(_))));
    assert!(matches!(pbkdf2(0, "hmac-sha256"), Err(KeystoreError::Malformed(_))));
    assert!(matches!(pbkdf2(1, "hmac-md5"), Err(KeystoreError::Unsupported { .. })));
}
