package screen
import ("testing";"strings";"time";"fmt")
func TestZ(t *testing.T){
 for _,w:=range []string{"y\r\n", strings.Repeat("abcdefgh ",8)+"\r\n", "\x1b[31mred\x1b[0m plain text line\r\n","日本語テキスト\r\n"} {
 e:=New(80,24,10000)
 b:=[]byte(strings.Repeat(w,1000))
 t0:=time.Now(); for i:=0;i<1000;i++{ e.Write(b)}
 fmt.Println(1000000, time.Since(t0))
 }
}
