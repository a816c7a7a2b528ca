const table=document.getElementById("jobs"),body=table.tBodies[0];
table.tHead.rows[0].querySelectorAll("th").forEach((head,at)=>{head.style.cursor="pointer";let down=false;
head.addEventListener("click",()=>{down=!down;const key=row=>{const cell=row.cells[at];return cell.dataset.n===undefined?cell.textContent:+cell.dataset.n};
const rows=[...body.rows].map(row=>[key(row),row]);rows.sort(([a],[b])=>(a<b?-1:a>b?1:0)*(down?1:-1));body.append(...rows.map(([,row])=>row))})});
