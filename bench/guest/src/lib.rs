//! What the benchmarks run: the smallest call, six kernels that spend their time differently, and copying.

use std::hint::black_box;

use sha2::{Digest as _, Sha256};

wit_bindgen::generate!({ path: "wit", world: "kernels" });

struct Kernels;

export!(Kernels);

impl Guest for Kernels {
    fn add(a: u32, b: u32) -> u32 {
        a.wrapping_add(b)
    }

    fn sha256(rounds: u32) -> u32 {
        let mut block = [7; 64];
        for _ in 0..rounds {
            let hash = Sha256::digest(block);
            block[..32].copy_from_slice(&hash);
        }
        u32::from_le_bytes([block[0], block[1], block[2], block[3]])
    }

    fn sieve(n: u32) -> u32 {
        let n = n as usize;
        let mut composite = vec![false; n];
        let mut count = 0;
        for candidate in 2..n {
            if composite[candidate] {
                continue;
            }
            count += 1;
            let mut multiple = candidate * candidate;
            while multiple < n {
                composite[multiple] = true;
                multiple += candidate;
            }
        }
        count
    }

    fn matmul(n: u32) -> u32 {
        let n = n as usize;
        let a: Vec<f64> = (0..n * n).map(|i| i as f64 * 0.5).collect();
        let b: Vec<f64> = (0..n * n).map(|i| i as f64 * 0.25).collect();
        let mut c = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                let mut sum = 0.0;
                for k in 0..n {
                    sum += a[i * n + k] * b[k * n + j];
                }
                c[i * n + j] = sum;
            }
        }
        black_box(c).iter().sum::<f64>() as u32
    }

    fn sum(rounds: u32) -> u32 {
        let numbers: Vec<u32> = (0..65_536).collect();
        (0..rounds).fold(0, |sum, _| black_box(&numbers).iter().fold(sum, |sum, n| sum.wrapping_add(*n)))
    }

    fn spin(n: u32) -> u32 {
        let mut state = 2_463_534_242_u32;
        for _ in 0..n {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
        }
        state
    }

    fn fill(rounds: u32) -> u32 {
        let mut bytes = vec![0_u8; 1 << 20];
        for round in 0..rounds {
            black_box(&mut bytes).fill(round as u8);
        }
        u32::from(bytes[bytes.len() / 2])
    }

    fn echo(data: Vec<u8>) -> Vec<u8> {
        data
    }

    fn echo_text(text: String) -> String {
        text
    }
}
