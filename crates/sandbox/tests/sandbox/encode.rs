//! Writes modules and components byte by byte, for shapes that no text should be as long as.

/// A number in LEB128.
pub(crate) fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A section, or anything else that begins with one byte and its own length.
pub(crate) fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len()), content].concat()
}

/// A section of `count` equal entries.
pub(crate) fn repeated(id: u8, count: usize, entry: &[u8]) -> Vec<u8> {
    section(id, &[leb(count), entry.repeat(count)].concat())
}

/// A core module of sections.
pub(crate) fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0", &sections.concat()[..]].concat()
}

/// A component of sections.
pub(crate) fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0", &sections.concat()[..]].concat()
}

/// A component that holds one core module and does nothing with it.
pub(crate) fn wrapped(module: &[u8]) -> Vec<u8> {
    component(&[section(1, module)])
}

/// Splits a component around its first core module, where that is its first section.
pub(crate) fn first_module(component: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (head, rest) = component.split_at_checked(8)?;
    let (&1, rest) = rest.split_first()? else { return None };
    let (mut len, mut digits) = (0, 0);
    for byte in rest.iter().take(4) {
        len |= usize::from(byte & 0x7f) << (7 * digits);
        digits += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let (module, after) = rest.get(digits..)?.split_at_checked(len)?;
    Some((head, module, after))
}

/// A type section with one function type of `params` and `results` numbers of type `i32`.
pub(crate) fn function_type(params: usize, results: usize) -> Vec<u8> {
    let list = |count| [leb(count), vec![0x7f; count]].concat();
    section(1, &[vec![1, 0x60], list(params), list(results)].concat())
}

/// A code section of `count` functions with these locals, which are pairs of a count and a type, and this body.
pub(crate) fn code(count: usize, locals: &[(usize, u8)], body: &[u8]) -> Vec<u8> {
    let groups: Vec<_> = locals.iter().flat_map(|(count, ty)| [leb(*count), vec![*ty]].concat()).collect();
    let function = [leb(locals.len()), groups, body.to_vec(), vec![0x0b]].concat();
    repeated(10, count, &[leb(function.len()), function].concat())
}

/// A component with one core function of no parameters and results.
pub(crate) fn function(locals: &[(usize, u8)], body: &[u8]) -> Vec<u8> {
    wrapped(&module(&[function_type(0, 0), repeated(3, 1, &[0]), code(1, locals, body)]))
}
