//! Keys: kept, shown and hidden.

use std::fs;

use glassbox_pay::keystore::Cost;
use glassbox_pay::wallet_file::WalletFile;
use glassbox_pay::{Keystore, KeystoreError, PayError, Wallet, wallet_file};

const KEY: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

#[test]
fn a_key_is_read_and_never_printed() {
    let wallet = Wallet::from_hex(KEY).unwrap();
    assert_eq!(wallet.address().to_string(), "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A");
    assert_eq!(wallet.to_hex().as_str(), KEY);
    assert_eq!(Wallet::from_hex(&KEY[2..]).unwrap().address(), wallet.address());
    assert!(!format!("{wallet:?}").contains("1111"));
    assert_ne!(Wallet::random().unwrap().address(), Wallet::random().unwrap().address());
    let order = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    for wrong in ["", "0x", "11", "not a key", &format!("0x{}", "00".repeat(32)), order, &format!("{KEY}11")]
    {
        let refused = Wallet::from_hex(wrong).unwrap_err();
        assert!(matches!(refused, PayError::PrivateKey));
        assert!(wrong.len() < 10 || !refused.to_string().contains(wrong), "the message holds no key");
    }
}

#[test]
fn a_wallet_file_is_private_whole_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.json");
    let wallet = Wallet::random().unwrap();
    wallet_file::save_new(&path, &wallet).unwrap();
    assert_eq!(wallet_file::load(&path).unwrap().address(), wallet.address());
    assert!(matches!(wallet_file::save_new(&path, &Wallet::random().unwrap()), Err(PayError::File { .. })));
    assert_eq!(wallet_file::load(&path).unwrap().address(), wallet.address());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");

    let text = fs::read_to_string(&path).unwrap();
    let other = Wallet::random().unwrap().address().to_string();
    fs::write(&path, text.replace(&wallet.address().to_string(), &other)).unwrap();
    assert!(matches!(wallet_file::load(&path), Err(PayError::WalletFile { .. })));
    fs::write(&path, "{}").unwrap();
    assert!(matches!(wallet_file::load(&path), Err(PayError::WalletFile { .. })));
}

#[cfg(unix)]
#[test]
fn a_wallet_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.json");
    wallet_file::save_new(&path, &Wallet::random().unwrap()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(wallet_file::load(&path), Err(PayError::WalletFile { .. })));
}

#[test]
fn a_key_under_a_password_is_kept_as_carefully() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.json");
    let wallet = Wallet::random().unwrap();
    let seal = |password| Keystore::seal(&wallet, password, Cost::Light).unwrap();
    let opens = |password: &str| match wallet_file::read(&path).unwrap() {
        WalletFile::Keystore(keystore) => keystore.open(password).map(|wallet| wallet.address()),
        WalletFile::Plain(_) => panic!("it is in clear"),
    };
    wallet_file::save_new_keystore(&path, &seal("one")).unwrap();
    assert!(wallet_file::save_new_keystore(&path, &seal("two")).is_err(), "what is there stays");
    assert_eq!(opens("one"), Ok(wallet.address()));
    wallet_file::replace(&path, &seal("two")).unwrap();
    assert_eq!((opens("one"), opens("two")), (Err(KeystoreError::Password), Ok(wallet.address())));
    assert!(matches!(
        wallet_file::load(&path),
        Err(PayError::WalletFile { reason: wallet_file::ENCRYPTED, .. })
    ));

    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("4096", "4294967296")).unwrap();
    let refused = wallet_file::read(&path).unwrap_err();
    assert!(matches!(refused, PayError::Keystore { source: KeystoreError::TooDear(_), .. }), "{refused:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
}

#[test]
fn a_wallet_that_cannot_be_written_leaves_the_old_one_and_no_draft() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.json");
    let keystore = Keystore::seal(&Wallet::random().unwrap(), "one", Cost::Light).unwrap();
    // A folder in the place of the file: neither a link nor a rename gets there.
    fs::create_dir(&path).unwrap();
    assert!(wallet_file::save_new_keystore(&path, &keystore).is_err());
    assert!(wallet_file::replace(&path, &keystore).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
}
