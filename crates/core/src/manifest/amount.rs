//! Amounts of money as manifests and terms write them: decimal strings.

/// An amount as a decimal string.
pub(super) mod decimal {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::money::Atomic;

    pub(in super::super) fn serialize<S: Serializer>(
        amount: &Atomic,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&amount.to_decimal())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Atomic, D::Error> {
        Atomic::from_decimal(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// An amount as a decimal string, or nothing.
pub(super) mod optional {
    use serde::{Deserializer, Serializer};

    use super::decimal;
    use crate::money::Atomic;

    pub(in super::super) fn serialize<S: Serializer>(
        amount: &Option<Atomic>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match amount {
            Some(amount) => decimal::serialize(amount, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Atomic>, D::Error> {
        decimal::deserialize(deserializer).map(Some)
    }
}
