;; More parameters than there are registers for: they cross in memory.
(component
  (core module $m
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
        (then (if (i32.eq (i32.const -1) (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get $size) (i32.const 65536)))))
          (then (unreachable)))))
      (memory.copy (local.get $at) (local.get $old) (local.get $old-size))
      (local.get $at))
    (func (export "run") (param $at i32) (result i64)
      (local $sum i64) (local $i i32)
      (loop $l
        (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 3))
          (i64.load (i32.add (local.get $at) (i32.shl (local.get $i) (i32.const 3))))))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 17))))
      (local.get $sum)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "p0" u64) (param "p1" u64) (param "p2" u64) (param "p3" u64) (param "p4" u64) (param "p5" u64) (param "p6" u64) (param "p7" u64) (param "p8" u64) (param "p9" u64) (param "p10" u64) (param "p11" u64) (param "p12" u64) (param "p13" u64) (param "p14" u64) (param "p15" u64) (param "p16" u64) (result u64)
    (canon lift (core func $i "run") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
