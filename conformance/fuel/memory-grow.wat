;; Grows by `n` pages, touches the last and tells the sum of the old and the new size. Each page costs.
(component
  (core module $m
    (memory 1 40)
    (func (export "run") (param $n i32) (result i32)
      (local $old i32)
      (local.set $old (memory.grow (local.get $n)))
      (i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (i32.const 7))
      (i32.add (i32.mul (local.get $old) (i32.const 1000)) (memory.size))))
  (core instance $i (instantiate $m))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
