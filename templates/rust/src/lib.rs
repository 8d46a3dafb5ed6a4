//! The world of `wit/world.wit` in Rust: each exported function is a method of `Guest`.

wit_bindgen::generate!({ path: "wit" });

struct Component;

export!(Component);

impl Guest for Component {
    fn count_words(text: String) -> u32 {
        let words = text.split([' ', '\t', '\n', '\x0b', '\x0c', '\r']).filter(|word| !word.is_empty());
        words.count() as u32
    }
}
