;; Floats to integers, where what has no integer becomes the nearest, and NaN zero.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (param $s i32) (param $d i64) (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 8))
      (i64.store offset=16 (i32.const 0) (i64.extend_i32_u (i32.trunc_sat_f32_s (f32.reinterpret_i32 (local.get $s)))))
      (i64.store offset=24 (i32.const 0) (i64.extend_i32_u (i32.trunc_sat_f32_u (f32.reinterpret_i32 (local.get $s)))))
      (i64.store offset=32 (i32.const 0) (i64.extend_i32_u (i32.trunc_sat_f64_s (f64.reinterpret_i64 (local.get $d)))))
      (i64.store offset=40 (i32.const 0) (i64.extend_i32_u (i32.trunc_sat_f64_u (f64.reinterpret_i64 (local.get $d)))))
      (i64.store offset=48 (i32.const 0) (i64.trunc_sat_f32_s (f32.reinterpret_i32 (local.get $s))))
      (i64.store offset=56 (i32.const 0) (i64.trunc_sat_f32_u (f32.reinterpret_i32 (local.get $s))))
      (i64.store offset=64 (i32.const 0) (i64.trunc_sat_f64_s (f64.reinterpret_i64 (local.get $d))))
      (i64.store offset=72 (i32.const 0) (i64.trunc_sat_f64_u (f64.reinterpret_i64 (local.get $d))))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "s" u32) (param "d" u64) (result (list u64))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
