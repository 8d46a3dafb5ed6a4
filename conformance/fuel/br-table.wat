;; A jump by a number, with a default.
(component
  (core module $m
    (func (export "run") (param $n i32) (result i32)
      (block $d (block $c (block $b (block $a
        (br_table $a $b $c $a $d (local.get $n)))
        (return (i32.const 10)))
        (return (i32.const 20)))
        (return (i32.const 30)))
      (i32.const 40)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
